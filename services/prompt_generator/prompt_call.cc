#include "services/prompt_generator/prompt_call.h"

#include <utility>

#include "common/rpc/byte_buffer.h"

namespace ip2p::prompt_generator {

PromptCall::PromptCall(const PromptServiceParts& parts, grpc::CallbackServerContext* context,
                       grpc::ByteBuffer* response)
    : parts_(parts),
      response_(response),
      send_deadline_(context),
      scope_(*context, parts.calls, "GeneratePrompt", Role::kEdit) {}

absl::StatusOr<PromptOrder> PromptCall::Read(const grpc::ByteBuffer& bytes) const {
  if (!scope_.admitted().ok()) return scope_.admitted();
  prompt::v1::GeneratePromptRequest request;
  if (!ParseBuffer(bytes, &request)) {
    return absl::InvalidArgumentError(
        "the request can't be parsed: it is damaged, or a text in it is not UTF-8");
  }
  return PromptOrderFromProto(request, *parts_.config);
}

void PromptCall::Begin(const grpc::ByteBuffer& bytes) {
  absl::StatusOr<PromptOrder> order = Read(bytes);
  if (!order.ok()) {
    End(order.status());
    return;
  }
  parts_.loop->Post([this, order = *std::move(order)]() mutable { Spawn(Work(std::move(order))); });
}

void PromptCall::OnCancel() {
  parts_.loop->Post([cancel = cancel_] { cancel->Cancel(); });
}

Task<void> PromptCall::Work(PromptOrder order) {
  const absl::StatusOr<PromptModel*> model = parts_.providers->Writer(
      order.provider, order.params, parts_.prompts_budget->limit_micro_usd().has_value());
  if (!model.ok() || cancel_->cancelled()) {
    End(model.ok() ? absl::CancelledError("the caller cancelled or disappeared") : model.status());
    co_return;
  }
  PromptParts parts;
  parts.model = *model;
  parts.moderator = parts_.providers->JudgeOf(order.provider);
  parts.spend = parts_.prompts_budget;
  parts.cancel = cancel_.get();
  parts.params = order.params;
  const MadePrompt made = co_await MakePrompt(parts, std::move(order.caption));
  parts_.metrics->OnUsage(made.outcome.usage);
  absl::Status status = made.end;
  // Proto: a provider that fails is an error here, where nobody records outcomes.
  if (status.ok() && made.outcome.rejected == RejectReason::kProviderError) {
    status = absl::UnavailableError(made.outcome.detail);
  }
  if (status.ok()) {
    parts_.metrics->OnOutcome(made.outcome);
    prompt::v1::GeneratePromptResponse response;
    *response.mutable_outcome() = ToProto(made.outcome);
    *response_ = ToBuffer(response);
  }
  End(status);
}

void PromptCall::End(const absl::Status& status) {
  parts_.metrics->OnCall("GeneratePrompt", status.code());
  send_deadline_.Arm(absl::Seconds(parts_.config->send_timeout_seconds));
  Finish(scope_.Finish(status));  // the call may be gone after this
}

}  // namespace ip2p::prompt_generator
