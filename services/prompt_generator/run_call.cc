// Reactors' methods run on gRPC's threads, the listener's on the loop's.
#include "services/prompt_generator/run_call.h"

#include <utility>

#include "common/rpc/byte_buffer.h"
#include "services/prompt_generator/prompt_proto.h"

namespace ip2p::prompt_generator {
namespace {

constexpr size_t kMostWaiting = 256;

}  // namespace

Task<void> Gate::Wait() {
  const std::shared_ptr<Event> event = event_;
  co_await *event;
}

void Gate::Open() { std::exchange(event_, std::make_shared<Event>())->Set(); }

RunCall::RunCall(const PromptServiceParts& parts, grpc::CallbackServerContext* context)
    : parts_(parts), send_deadline_(context), scope_(*context, parts.calls, "GeneratePrompts", Role::kEdit) {}

absl::StatusOr<GenerationOrder> RunCall::Read(const grpc::ByteBuffer& bytes) const {
  if (!scope_.admitted().ok()) return scope_.admitted();
  prompt::v1::GeneratePromptsRequest request;
  if (!ParseBuffer(bytes, &request)) {
    return absl::InvalidArgumentError(
        "the request can't be parsed: it is damaged, or a text in it is not UTF-8");
  }
  return OrderFromProto(std::move(request), *parts_.config);
}

void RunCall::Begin(const grpc::ByteBuffer& bytes) {
  absl::StatusOr<GenerationOrder> order = Read(bytes);
  if (!order.ok()) {
    End(order.status());
    return;
  }
  parts_.files->Post([this, order = *std::move(order)]() mutable { OpenFiles(std::move(order)); });
}

void RunCall::OpenFiles(GenerationOrder order) {
  absl::StatusOr<std::unique_ptr<GenerationJob>> job = GenerationJob::Open(std::move(order));
  if (!job.ok()) {
    End(job.status());
    return;
  }
  parts_.loop->Post([this, job = *std::move(job)]() mutable { Spawn(Work(std::move(job))); });
}

Task<void> RunCall::Work(std::unique_ptr<GenerationJob> job) {
  const std::shared_ptr<LoopSide> side = loop_side_;
  CancelToken* const cancel = &side->cancel;
  const CancelToken::Callback wake(cancel, [side] { side->room.Open(); });
  absl::Status status = parts_.runs->Add(cancel);
  if (status.ok()) {
    parts_.metrics->OnRuns(1);
    status = co_await job->Run(*parts_.providers, this, cancel);
    parts_.metrics->OnRuns(-1);
    parts_.runs->Remove(cancel);
  }
  job.reset();  // gives the journal back before the caller hears of the end
  End(Judge(std::move(status)));
}

absl::Status RunCall::Judge(absl::Status status) const {
  if (!absl::IsCancelled(status) || !parts_.runs->stopping()) return status;
  return absl::UnavailableError("the server is stopping; the same run_name goes on where this ended");
}

void RunCall::OnCancel() {
  parts_.loop->Post([side = loop_side_] { side->cancel.Cancel(); });
}

void RunCall::End(const absl::Status& status) {
  parts_.metrics->OnCall("GeneratePrompts", status.code());
  send_deadline_.Arm(absl::Seconds(parts_.config->send_timeout_seconds));
  absl::MutexLock lock(&mutex_);
  end_ = scope_.Finish(status);
  Pump();
}

bool RunCall::Full() {
  absl::MutexLock lock(&mutex_);
  return outcomes_.size() >= kMostWaiting;
}

Task<void> RunCall::Room() {
  const std::shared_ptr<LoopSide> side = loop_side_;
  while (!side->cancel.cancelled() && Full()) co_await side->room.Wait();
}

void RunCall::OnOutcome(const Outcome& outcome) {
  parts_.metrics->OnOutcome(outcome);
  absl::MutexLock lock(&mutex_);
  outcomes_.push_back(ToProto(outcome));
  Pump();
}

void RunCall::OnUsage(const Usage& usage) { parts_.metrics->OnUsage(usage); }

void RunCall::OnProgress(const RunCounts& counts, std::optional<absl::Duration> remaining) {
  absl::MutexLock lock(&mutex_);
  progress_ = ToProto(counts, remaining);
  Pump();
}

void RunCall::OnWriteDone(bool) {  // a failed write means a call that is being cancelled: OnCancel comes
  bool room = false;
  {
    absl::MutexLock lock(&mutex_);
    writing_ = false;
    room = outcomes_.size() == kMostWaiting / 2;
    Pump();
  }
  if (room) {
    parts_.loop->Post([side = loop_side_] { side->room.Open(); });
  }
}

void RunCall::OnDone() {
  { absl::MutexLock lock(&mutex_); }  // whoever ended the call may still be on the way out of Pump
  delete this;
}

void RunCall::Pump() {
  if (writing_) return;
  prompt::v1::GeneratePromptsResponse message;
  // Progress first, so that it isn't starved by outcomes; the last one comes after all of them.
  if (progress_ && (outcomes_.empty() || !end_)) {
    *message.mutable_progress() = *std::exchange(progress_, std::nullopt);
  } else if (!outcomes_.empty()) {
    *message.mutable_outcome() = std::move(outcomes_.front());
    outcomes_.pop_front();
  } else if (end_) {
    writing_ = true;
    Finish(*end_);
    return;
  } else {
    return;
  }
  writing_ = true;
  message_ = ToBuffer(message);
  StartWrite(&message_);
}

}  // namespace ip2p::prompt_generator
