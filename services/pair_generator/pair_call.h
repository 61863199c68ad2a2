// GeneratePairs: events are streamed as they fall. Deletes itself in OnDone, which comes after Finish, which
// comes exactly once: from Begin when the call is refused, else when the request is over and everything is
// written.
//
// A reader that is slower than its request slows it: beyond send_buffer_mb of events that wait for it, the
// request's model waits, and a reader that takes nothing for send_timeout_seconds is cut off. Of progress
// only the newest is kept.
#pragma once

#include <deque>
#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "common/rpc/call_scope.h"
#include "common/rpc/send_deadline.h"
#include "services/pair_generator/pair_service.h"

namespace ip2p::pair_generator {

class PairCall final : public grpc::ServerWriteReactor<grpc::ByteBuffer>, private PairListener {
 public:
  PairCall(const PairServiceParts& parts, grpc::CallbackServerContext* context);
  void Begin(const grpc::ByteBuffer& bytes);

  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

 private:
  absl::Status Start(const grpc::ByteBuffer& bytes);
  void End(const absl::Status& status);

  void OnAdmitted(const PairAdmission& admission) override;
  void OnProgress(int64_t prompt_index, const PairStep& step) override;
  void OnSample(const Sample& sample) override;
  void OnPair(const Sample& sample, StoredPair files) override;
  void OnPrompt(int64_t prompt_index, const PromptPairs& pairs) override;
  absl::Status Room() override;
  void OnDone(const absl::Status& status) override { End(status); }

  void Tell(const pair::v1::GeneratePairsResponse& event);
  // Starts the next write, or ends the call, when nothing is being written.
  void Pump() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const PairServiceParts& parts_;
  SendDeadline send_deadline_;
  CallScope scope_;
  PairQueue::Ticket ticket_;
  int side_ = 0;  // of the pictures, px

  absl::Mutex mutex_;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool gone_ ABSL_GUARDED_BY(mutex_) = false;         // nobody reads any more
  grpc::ByteBuffer message_ ABSL_GUARDED_BY(mutex_);  // being written
  std::deque<grpc::ByteBuffer> events_ ABSL_GUARDED_BY(mutex_);
  size_t waiting_bytes_ ABSL_GUARDED_BY(mutex_) = 0;  // of events_
  int64_t written_ ABSL_GUARDED_BY(mutex_) = 0;       // messages
  std::optional<pair::v1::PairProgress> progress_ ABSL_GUARDED_BY(mutex_);
  std::optional<grpc::Status> end_ ABSL_GUARDED_BY(mutex_);  // set: the request is over
};

}  // namespace ip2p::pair_generator
