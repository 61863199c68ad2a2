// GeneratePrompt: one caption. Deletes itself in OnDone, which comes after Finish, which comes exactly once:
// from Begin when the call is refused, else from the loop.
#pragma once

#include <memory>

#include "common/prompts/make_prompt.h"
#include "common/rpc/send_deadline.h"
#include "services/prompt_generator/prompt_proto.h"
#include "services/prompt_generator/prompt_service.h"

namespace ip2p::prompt_generator {

class PromptCall final : public grpc::ServerUnaryReactor {
 public:
  PromptCall(const PromptServiceParts& parts, grpc::CallbackServerContext* context,
             grpc::ByteBuffer* response);
  void Begin(const grpc::ByteBuffer& bytes);

  void OnCancel() override;
  void OnDone() override { delete this; }

 private:
  absl::StatusOr<PromptOrder> Read(const grpc::ByteBuffer& bytes) const;
  Task<void> Work(PromptOrder order);  // the loop's thread
  void End(const absl::Status& status);

  const PromptServiceParts& parts_;
  grpc::ByteBuffer* const response_;
  SendDeadline send_deadline_;
  CallScope scope_;
  const std::shared_ptr<CancelToken> cancel_ = std::make_shared<CancelToken>();  // the loop's thread
};

}  // namespace ip2p::prompt_generator
