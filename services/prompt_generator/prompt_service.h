// ip2p.prompt.v1.PromptService on gRPC's callback API: a call is an object that holds no thread while it
// waits. All generation happens on one loop's thread, so that every call keeps the provider's limits
// together.
#pragma once

#include "absl/time/time.h"
#include "common/base/worker_pool.h"
#include "common/http/loop_thread.h"
#include "common/prompts/budget.h"
#include "common/prompts/providers.h"
#include "common/rpc/call_scope.h"
#include "ip2p/prompt/v1/prompt_service.grpc.pb.h"
#include "services/prompt_generator/config.h"
#include "services/prompt_generator/prompt_metrics.h"
#include "services/prompt_generator/run_registry.h"

namespace ip2p::prompt_generator {

// What the calls share; must outlive the service.
struct PromptServiceParts {
  CallEnvironment calls;
  const ServerConfig* config = nullptr;
  LoopThread* loop = nullptr;
  WorkerPool* files = nullptr;  // reads captions before a run
  PromptMetrics* metrics = nullptr;
  // The loop's thread from here on.
  Providers* providers = nullptr;
  RunRegistry* runs = nullptr;
  Budget* prompts_budget = nullptr;  // of all single prompts
};

// Both take raw bytes, so that what does not parse gets INVALID_ARGUMENT like other bad input.
using PromptServiceBase = prompt::v1::PromptService::WithRawCallbackMethod_GeneratePrompt<
    prompt::v1::PromptService::WithRawCallbackMethod_GeneratePrompts<
        prompt::v1::PromptService::WithCallbackMethod_GetCapabilities<prompt::v1::PromptService::Service>>>;

class PromptService final : public PromptServiceBase {
 public:
  explicit PromptService(const PromptServiceParts& parts) : parts_(parts) {}

  grpc::ServerUnaryReactor* GeneratePrompt(grpc::CallbackServerContext* context,
                                           const grpc::ByteBuffer* request,
                                           grpc::ByteBuffer* response) override;
  grpc::ServerWriteReactor<grpc::ByteBuffer>* GeneratePrompts(grpc::CallbackServerContext* context,
                                                              const grpc::ByteBuffer* request) override;
  grpc::ServerUnaryReactor* GetCapabilities(grpc::CallbackServerContext* context,
                                            const prompt::v1::GetCapabilitiesRequest* request,
                                            prompt::v1::GetCapabilitiesResponse* response) override;

 private:
  const PromptServiceParts parts_;
};

}  // namespace ip2p::prompt_generator
