// One unary call of the FinetuneService: reads, works on the loop, answers. Deletes itself in OnDone, which
// comes after Finish, which comes exactly once: from Begin when the call is refused, else from the loop.
#pragma once

#include <memory>
#include <utility>

#include "common/rpc/byte_buffer.h"
#include "services/prompt_generator/finetune_service.h"

namespace ip2p::prompt_generator {

template <typename Request, typename Response>
class FinetuneCall final : public grpc::ServerUnaryReactor {
 public:
  // The call's own part: on the loop's thread.
  using Work = Task<absl::StatusOr<Response>> (*)(const FinetuneServiceParts& parts, Request request,
                                                  CancelToken* cancel);

  static grpc::ServerUnaryReactor* Begin(const FinetuneServiceParts& parts,
                                         grpc::CallbackServerContext* context, const char* method, Work work,
                                         const grpc::ByteBuffer& bytes, grpc::ByteBuffer* response) {
    auto* call = new FinetuneCall(parts, context, method, work, response);
    call->Read(bytes);
    return call;
  }

  void OnCancel() override {
    parts_.loop->Post([cancel = cancel_] { cancel->Cancel(); });
  }
  void OnDone() override { delete this; }

 private:
  FinetuneCall(const FinetuneServiceParts& parts, grpc::CallbackServerContext* context, const char* method,
               Work work, grpc::ByteBuffer* response)
      : parts_(parts),
        method_(method),
        work_(work),
        response_(response),
        scope_(*context, parts.calls, method, Role::kAdmin) {}

  void Read(const grpc::ByteBuffer& bytes) {
    Request request;
    absl::Status status = scope_.admitted();
    if (status.ok() && !ParseBuffer(bytes, &request)) {
      status = absl::InvalidArgumentError(
          "the request can't be parsed: it is damaged, or a text in it is not UTF-8");
    }
    if (!status.ok()) {
      End(status);
      return;
    }
    parts_.loop->Post([this, request = std::move(request)]() mutable { Spawn(Run(std::move(request))); });
  }

  Task<void> Run(Request request) {
    // The same answer as to a prompt where no provider with files is configured.
    const GenerationParams params;
    const absl::Status status = parts_.providers->Writer(ProviderKind::kOpenAiChat, params, false).status();
    if (!status.ok()) {
      End(status);
      co_return;
    }
    absl::StatusOr<Response> answer = co_await work_(parts_, std::move(request), cancel_.get());
    if (answer.ok()) *response_ = ToBuffer(*answer);
    End(answer.status());
  }

  void End(const absl::Status& status) {
    parts_.metrics->OnCall(method_, status.code());
    Finish(scope_.Finish(status));  // the call may be gone after this
  }

  const FinetuneServiceParts& parts_;
  const char* const method_;
  const Work work_;
  grpc::ByteBuffer* const response_;
  CallScope scope_;
  const std::shared_ptr<CancelToken> cancel_ = std::make_shared<CancelToken>();  // the loop's thread
};

}  // namespace ip2p::prompt_generator
