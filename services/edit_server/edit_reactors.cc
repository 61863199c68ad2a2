// Reactors' methods run on gRPC's threads, the listener's on the engine's and the codecs'.
#include "services/edit_server/edit_reactors.h"

#include <utility>

#include "absl/time/clock.h"
#include "common/rpc/byte_buffer.h"
#include "services/edit_server/edit_proto.h"

namespace ip2p::edit_server {

EditCall::EditCall(const EditServiceParts& parts, grpc::CallbackServerContext* context, const char* method)
    : parts_(parts), send_deadline_(context), scope_(*context, parts.calls, method, Role::kEdit) {}

absl::Status EditCall::Start(const edit::v1::EditRequest* request, int preview_every) {
  if (!scope_.admitted().ok()) return scope_.admitted();
  if (request == nullptr) {
    return absl::InvalidArgumentError(
        "the request can't be parsed: it is damaged, or a text in it (instruction, negative, model, "
        "request_id) is not "
        "UTF-8");
  }
  model_label_ = parts_.models->Label(request->model());
  absl::StatusOr<EditTask> task =
      TaskFromProto(*request, preview_every, scope_.caller(), scope_.request_id());
  if (!task.ok()) return task.status();
  absl::StatusOr<EditQueue::Ticket> ticket = parts_.queue->Start(*std::move(task), scope_.deadline(), this);
  if (!ticket.ok()) return ticket.status();
  ticket_ = *std::move(ticket);  // read by OnCancel, which gRPC runs after the handler has returned
  return absl::OkStatus();
}

void EditCall::Abandon() {
  const bool late = absl::Now() >= scope_.deadline();
  parts_.queue->Leave(ticket_, this,
                      late ? absl::DeadlineExceededError("the deadline passed before the edit was done")
                           : absl::CancelledError("the caller cancelled or disappeared"));
}

grpc::Status EditCall::Close(const absl::Status& status) {
  parts_.metrics->OnRequest(model_label_, status.code());
  send_deadline_.Arm(parts_.send_timeout);
  return scope_.Finish(status);
}

EditReactor::EditReactor(const EditServiceParts& parts, grpc::CallbackServerContext* context,
                         grpc::ByteBuffer* response)
    : EditCall(parts, context, "Edit"), response_(response) {}

void EditReactor::Begin(const grpc::ByteBuffer& bytes) {
  edit::v1::EditRequest request;
  const bool parsed = ParseBuffer(bytes, &request);
  if (const absl::Status status = Start(parsed ? &request : nullptr, 0); !status.ok()) Finish(Close(status));
}

void EditReactor::OnAccepted(const EditAdmission&) {}

void EditReactor::OnProgress(const EditProgress&) {}

void EditReactor::OnFinished(const absl::StatusOr<std::shared_ptr<const EditAnswer>>& answer, bool replayed) {
  if (answer.ok()) {
    edit::v1::EditResponse response;
    *response.mutable_result() = ToProto(**answer, replayed);
    *response_ = ToBuffer(response);
  }
  Finish(Close(answer.status()));
}

StreamEditReactor::StreamEditReactor(const EditServiceParts& parts, grpc::CallbackServerContext* context)
    : EditCall(parts, context, "StreamEdit") {}

void StreamEditReactor::Begin(const grpc::ByteBuffer& bytes) {
  edit::v1::StreamEditRequest request;
  const bool parsed = ParseBuffer(bytes, &request);
  if (const absl::Status status = Start(parsed ? &request.edit() : nullptr, request.preview_every());
      !status.ok()) {
    Finish(Close(status));
  }
}

void StreamEditReactor::OnAccepted(const EditAdmission& admission) {
  absl::MutexLock lock(&mutex_);
  accepted_ = ToProto(admission);
  Pump();
}

void StreamEditReactor::OnProgress(const EditProgress& progress) {
  edit::v1::EditProgress next = ToProto(progress);
  absl::MutexLock lock(&mutex_);
  if (progress_ && progress_->has_preview() && !next.has_preview() && progress_->output() == next.output()) {
    next.mutable_preview()->Swap(progress_->mutable_preview());  // a sketch isn't lost to a step without one
  }
  progress_ = std::move(next);
  Pump();
}

void StreamEditReactor::OnFinished(const absl::StatusOr<std::shared_ptr<const EditAnswer>>& answer,
                                   bool replayed) {
  std::optional<edit::v1::EditResult> result;
  if (answer.ok()) result = ToProto(**answer, replayed);
  grpc::Status outcome = Close(answer.status());
  absl::MutexLock lock(&mutex_);
  result_ = std::move(result);
  outcome_ = std::move(outcome);
  Pump();
}

void StreamEditReactor::OnWriteDone(
    bool) {  // a failed write means a call that is being cancelled: OnCancel comes
  absl::MutexLock lock(&mutex_);
  writing_ = false;
  Pump();
}

void StreamEditReactor::OnDone() {
  { absl::MutexLock lock(&mutex_); }  // whoever ended the call may still be on the way out of Pump
  delete this;
}

void StreamEditReactor::Pump() {
  if (writing_) return;
  edit::v1::StreamEditResponse message;
  if (accepted_) {
    *message.mutable_accepted() = *std::exchange(accepted_, std::nullopt);
  } else if (outcome_ && result_) {
    *message.mutable_result() = *std::exchange(result_, std::nullopt);
    message_ = ToBuffer(message);
    writing_ = true;
    StartWriteAndFinish(&message_, grpc::WriteOptions(), *outcome_);
    return;
  } else if (outcome_) {
    writing_ = true;
    Finish(*outcome_);
    return;
  } else if (progress_) {
    *message.mutable_progress() = *std::exchange(progress_, std::nullopt);
  } else {
    return;
  }
  writing_ = true;
  message_ = ToBuffer(message);
  StartWrite(&message_);
}

}  // namespace ip2p::edit_server
