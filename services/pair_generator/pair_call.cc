// Reactors' methods run on gRPC's threads, the listener's on the model's.
#include "services/pair_generator/pair_call.h"

#include <utility>

#include "absl/time/clock.h"
#include "common/base/status_macros.h"
#include "common/rpc/byte_buffer.h"
#include "services/pair_generator/pair_proto.h"

namespace ip2p::pair_generator {

PairCall::PairCall(const PairServiceParts& parts, grpc::CallbackServerContext* context)
    : parts_(parts), send_deadline_(context), scope_(*context, parts.calls, "GeneratePairs", Role::kEdit) {}

absl::Status PairCall::Start(const grpc::ByteBuffer& bytes) {
  if (!scope_.admitted().ok()) return scope_.admitted();
  pair::v1::GeneratePairsRequest request;
  if (!ParseBuffer(bytes, &request)) {
    return absl::InvalidArgumentError(
        "the request can't be parsed: it is damaged, or a text in it is not UTF-8");
  }
  IP2P_ASSIGN_OR_RETURN(PairTask task, TaskFromProto(std::move(request)));
  task.caller = scope_.caller();
  side_ = task.params.resolution;
  IP2P_ASSIGN_OR_RETURN(ticket_, parts_.queue->Start(std::move(task), scope_.deadline(), this));
  return absl::OkStatus();
}

void PairCall::Begin(const grpc::ByteBuffer& bytes) {
  if (const absl::Status status = Start(bytes); !status.ok()) End(status);
}

void PairCall::OnCancel() {
  {
    absl::MutexLock lock(&mutex_);
    gone_ = true;
  }
  const bool late = absl::Now() >= scope_.deadline();
  parts_.queue->Leave(ticket_, late ? absl::DeadlineExceededError("the deadline passed before all was made")
                                    : absl::CancelledError("the caller cancelled or disappeared"));
}

void PairCall::End(const absl::Status& status) {
  parts_.metrics->OnCall("GeneratePairs", status.code());
  send_deadline_.Arm(parts_.send_timeout);
  absl::MutexLock lock(&mutex_);
  end_ = scope_.Finish(status);
  Pump();
}

void PairCall::OnAdmitted(const PairAdmission& admission) {
  pair::v1::GeneratePairsResponse event;
  *event.mutable_started() = ToProto(admission);
  Tell(event);
}

void PairCall::OnProgress(int64_t prompt_index, const PairStep& step) {
  absl::MutexLock lock(&mutex_);
  progress_ = ToProto(prompt_index, step);
  Pump();
}

void PairCall::OnSample(const Sample& sample) {
  pair::v1::GeneratePairsResponse event;
  *event.mutable_sample() = ToProto(sample);
  Tell(event);
}

void PairCall::OnPair(const Sample& sample, StoredPair files) {
  pair::v1::GeneratePairsResponse event;
  *event.mutable_pair() = ToProto(sample, std::move(files), side_);
  Tell(event);
}

void PairCall::OnPrompt(int64_t prompt_index, const PromptPairs& pairs) {
  pair::v1::GeneratePairsResponse event;
  *event.mutable_finished() = ToProto(prompt_index, pairs);
  Tell(event);
}

void PairCall::Tell(const pair::v1::GeneratePairsResponse& event) {
  grpc::ByteBuffer bytes = ToBuffer(event);
  absl::MutexLock lock(&mutex_);
  progress_.reset();  // what is told now is newer
  waiting_bytes_ += bytes.Length();
  events_.push_back(std::move(bytes));
  Pump();
}

absl::Status PairCall::Room() {
  absl::MutexLock lock(&mutex_);
  const auto room = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return gone_ || waiting_bytes_ <= parts_.send_buffer_bytes;
  };
  while (!room()) {
    // As long as it takes something it is slow, not dead.
    const int64_t before = written_;
    const auto moved = [this, before]()
                           ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return gone_ || written_ != before; };
    if (!mutex_.AwaitWithTimeout(absl::Condition(&moved), parts_.send_timeout)) {
      return absl::AbortedError("the caller took nothing of what waits for it; wants a reader");
    }
  }
  return absl::OkStatus();
}

void PairCall::OnWriteDone(bool ok) {  // a failed write means a call that is being cancelled: OnCancel comes
  absl::MutexLock lock(&mutex_);
  writing_ = false;
  ++written_;
  if (!ok) gone_ = true;
  Pump();
}

void PairCall::OnDone() {
  { absl::MutexLock lock(&mutex_); }  // whoever ended the call may still be on the way out of Pump
  delete this;
}

void PairCall::Pump() {
  if (writing_) return;
  if (gone_) events_.clear();
  if (!events_.empty()) {
    message_.Swap(&events_.front());
    events_.pop_front();
    waiting_bytes_ -= message_.Length();
  } else if (end_) {
    writing_ = true;
    Finish(*end_);
    return;
  } else if (progress_) {
    pair::v1::GeneratePairsResponse event;
    *event.mutable_progress() = *std::exchange(progress_, std::nullopt);
    message_ = ToBuffer(event);
  } else {
    return;
  }
  writing_ = true;
  StartWrite(&message_);
}

}  // namespace ip2p::pair_generator
