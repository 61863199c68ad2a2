// GeneratePrompts: a run whose outcomes are streamed as they fall. Deletes itself in OnDone, which comes
// after Finish, which comes exactly once: from Begin when the call is refused, else when the run is over and
// everything is written.
//
// A reader that is slower than the run slows it: at most kMostWaiting outcomes wait, and those of captions in
// flight.
#pragma once

#include <deque>
#include <memory>
#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "common/prompts/generation_job.h"
#include "common/rpc/send_deadline.h"
#include "services/prompt_generator/prompt_service.h"

namespace ip2p::prompt_generator {

// Tasks wait here until somebody opens. The loop's thread.
class Gate {
 public:
  Task<void> Wait();
  void Open();  // for those that wait now

 private:
  std::shared_ptr<Event> event_ = std::make_shared<Event>();
};

class RunCall final : public grpc::ServerWriteReactor<grpc::ByteBuffer>, private RunListener {
 public:
  RunCall(const PromptServiceParts& parts, grpc::CallbackServerContext* context);
  void Begin(const grpc::ByteBuffer& bytes);

  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

 private:
  // What posted work needs when the call may be gone. The loop's thread.
  struct LoopSide {
    CancelToken cancel;
    Gate room;
  };

  absl::StatusOr<GenerationOrder> Read(const grpc::ByteBuffer& bytes) const;
  void OpenFiles(GenerationOrder order);                // a thread for files
  Task<void> Work(std::unique_ptr<GenerationJob> job);  // the loop's thread
  absl::Status Judge(absl::Status status) const;        // why a run ended, as the caller should hear it
  void End(const absl::Status& status);

  Task<void> Room() override;
  void OnOutcome(const Outcome& outcome) override;
  void OnUsage(const Usage& usage) override;
  void OnProgress(const RunCounts& counts, std::optional<absl::Duration> remaining) override;

  bool Full() ABSL_LOCKS_EXCLUDED(mutex_);
  // Starts the next write, or ends the call, when nothing is being written.
  void Pump() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const PromptServiceParts& parts_;
  SendDeadline send_deadline_;
  CallScope scope_;
  const std::shared_ptr<LoopSide> loop_side_ = std::make_shared<LoopSide>();

  absl::Mutex mutex_;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  grpc::ByteBuffer message_ ABSL_GUARDED_BY(mutex_);  // being written
  std::deque<prompt::v1::Outcome> outcomes_ ABSL_GUARDED_BY(mutex_);
  std::optional<prompt::v1::RunProgress> progress_ ABSL_GUARDED_BY(mutex_);
  std::optional<grpc::Status> end_ ABSL_GUARDED_BY(mutex_);  // set: the run is over
};

}  // namespace ip2p::prompt_generator
