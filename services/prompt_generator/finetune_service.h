// ip2p.prompt.v1.FinetuneService: a thin view of the provider's fine-tuning. Wants the admin role, since jobs
// cost money. The work is done on the loop's thread; a call holds no thread while it waits.
#pragma once

#include <memory>

#include "common/http/loop_thread.h"
#include "common/openai/finetune.h"
#include "common/prompts/providers.h"
#include "common/rpc/call_scope.h"
#include "ip2p/prompt/v1/finetune_service.grpc.pb.h"
#include "services/prompt_generator/prompt_metrics.h"

namespace ip2p::prompt_generator {

// All must outlive the service. `providers` and `client` belong to the loop's thread.
struct FinetuneServiceParts {
  CallEnvironment calls;
  LoopThread* loop = nullptr;
  PromptMetrics* metrics = nullptr;
  Providers* providers = nullptr;
  FinetuneClient* client = nullptr;
};

// All take raw bytes, so that what does not parse gets INVALID_ARGUMENT like other bad input.
using FinetuneServiceBase = prompt::v1::FinetuneService::WithRawCallbackMethod_StartFinetune<
    prompt::v1::FinetuneService::WithRawCallbackMethod_GetFinetune<
        prompt::v1::FinetuneService::WithRawCallbackMethod_ListFinetunes<
            prompt::v1::FinetuneService::WithRawCallbackMethod_CancelFinetune<
                prompt::v1::FinetuneService::WithRawCallbackMethod_ListFinetuneEvents<
                    prompt::v1::FinetuneService::Service>>>>>;

class FinetuneService final : public FinetuneServiceBase {
 public:
  explicit FinetuneService(const FinetuneServiceParts& parts) : parts_(parts) {}

  grpc::ServerUnaryReactor* StartFinetune(grpc::CallbackServerContext* context,
                                          const grpc::ByteBuffer* request,
                                          grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* GetFinetune(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                        grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* ListFinetunes(grpc::CallbackServerContext* context,
                                          const grpc::ByteBuffer* request,
                                          grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* CancelFinetune(grpc::CallbackServerContext* context,
                                           const grpc::ByteBuffer* request,
                                           grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* ListFinetuneEvents(grpc::CallbackServerContext* context,
                                               const grpc::ByteBuffer* request,
                                               grpc::ByteBuffer* response) override;

 private:
  const FinetuneServiceParts parts_;
};

}  // namespace ip2p::prompt_generator
