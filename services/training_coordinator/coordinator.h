// The jobs of this process: what operators ask of them, what workers report, what time brings. Every change
// of a job is written to the store before it is acted on or answered; states move only as job_moves.h allows.
//
// Thread-safe: one lock, held while the store writes. Nothing here waits: who waits for a change asks again
// (waiting_call.h). Tick is called a few times a second; it launches, judges and ends groups.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/base/clock.h"
#include "services/training_coordinator/decisions.h"
#include "services/training_coordinator/job.h"
#include "services/training_coordinator/job_folders.h"
#include "services/training_coordinator/job_mirrors.h"
#include "services/training_coordinator/job_store.h"
#include "services/training_coordinator/launcher.h"
#include "services/training_coordinator/training_metrics.h"

namespace ip2p::training_coordinator {

struct CoordinatorLimits {
  SlotCounts slots{.cpu = 1};
  GroupLimits group;
  absl::Duration stop_grace = absl::Seconds(5);        // from asking workers to end until they are ended
  absl::Duration reconnect_grace = absl::Seconds(30);  // for workers after a coordinator's restart
  int queue_limit = 1000;
};

// Must outlive the coordinator, but for `random`, which is its own.
struct CoordinatorParts {
  JobStore* store = nullptr;
  Launcher* launcher = nullptr;
  TrainingMetrics* metrics = nullptr;
  const JobFolders* folders = nullptr;
  const JobMirrors* mirrors = nullptr;  // may be null: runs are kept in their folders alone
  const Clock* clock = Clock::Real();
  std::function<double()> random;  // in [0, 1)
};

struct JobOrder {
  std::string request_id;
  std::string spec;
  std::string spec_digest;
  JobPlan plan;
};

struct JobView {
  Job job;
  int queue_position = 0;
  uint64_t version = 0;  // rises with every change of the job or its figures
};

struct JobFilter {
  std::vector<JobState> states;  // empty: all
  size_t limit = 100;
  int64_t before = INT64_MAX;  // only jobs with smaller numbers
};

struct JobPage {
  std::vector<JobView> jobs;      // newest first
  std::optional<int64_t> before;  // asks for the next page
};

struct WorkerId {
  std::string job_id;
  int64_t epoch = 0;
  int rank = 0;
  std::string token;
};

struct GroupInfo {
  std::string spec;
  std::string store_host;
  int store_port = 0;
  std::optional<int64_t> resume_step;
  std::string mirror;  // empty: none
  absl::Duration heartbeat;
};

enum class Order { kNone = 0, kSave = 1, kSaveAndStop = 2, kStop = 3 };  // the wire's numbers

struct OrderAt {
  Order order = Order::kNone;
  int64_t step = 0;  // with the two that save
};

class Coordinator {
 public:
  // Loads the store and looks for the workers of a former coordinator. Errors: those of the store.
  static absl::StatusOr<std::unique_ptr<Coordinator>> Open(const CoordinatorLimits& limits,
                                                           CoordinatorParts parts);

  // Operators. NOT_FOUND: no such job. FAILED_PRECONDITION: its state does not allow it. Store errors.
  absl::StatusOr<JobView> Submit(const JobOrder& order);
  absl::StatusOr<JobView> Get(const std::string& job_id) const;
  JobPage List(const JobFilter& filter) const;
  // Orders it; it is done when the job's state says so.
  absl::StatusOr<JobView> Pause(const std::string& job_id);
  absl::StatusOr<JobView> Resume(const std::string& job_id, std::optional<int64_t> from_step);
  absl::StatusOr<JobView> Cancel(const std::string& job_id, bool save_checkpoint);
  // False while workers of the ended job are still on their way out: to be asked again.
  absl::StatusOr<bool> Delete(const std::string& job_id);

  // Orders a checkpoint of a running job; gives the step.
  absl::StatusOr<int64_t> OrderSave(const std::string& job_id);
  // The checkpoint of that step or the next; nothing while the job may still make it.
  absl::StatusOr<std::optional<CheckpointRecord>> FindSaved(const std::string& job_id, int64_t at_step) const;
  absl::StatusOr<std::vector<CheckpointRecord>> Checkpoints(const std::string& job_id) const;  // newest first
  // NOT_FOUND, which names the steps that there are. Without a step: the newest.
  absl::StatusOr<CheckpointRecord> FindCheckpoint(const std::string& job_id,
                                                  std::optional<int64_t> step) const;
  absl::StatusOr<CheckpointRecord> NotePromotion(const std::string& job_id, int64_t step,
                                                 const std::string& model);

  // Workers. Also PERMISSION_DENIED (token), ABORTED (epoch), INVALID_ARGUMENT (rank).
  absl::Status CheckWorker(const WorkerId& worker) const;
  absl::Status Join(const WorkerId& worker, const std::string& host, int store_port);
  // What a rank that has joined needs; nothing while others are awaited. Asking is a sign of life.
  absl::StatusOr<std::optional<GroupInfo>> Group(const WorkerId& worker);
  absl::StatusOr<OrderAt> Heartbeat(const WorkerId& worker, const std::optional<StepFigures>& figures);
  absl::Status RecordCheckpoint(const WorkerId& worker, CheckpointRecord checkpoint);
  absl::Status Leave(const WorkerId& worker, Outcome outcome, const std::string& message);

  void Tick();
  // Not OK: the store and this process no longer agree; the process ends and starts again.
  absl::Status fatal() const;

 private:
  struct Live {
    Job job;
    std::map<int64_t, CheckpointRecord> checkpoints;
    GroupView group;        // while job.launched
    absl::Time stop_since;  // while its workers are on their way out
    bool adopted = false;   // the launch is a former coordinator's
    bool deleting = false;
    std::optional<StepFigures> launch_figures;  // what this launch told last
    uint64_t version = 0;
  };

  Coordinator(const CoordinatorLimits& limits, CoordinatorParts parts)
      : limits_(limits), parts_(std::move(parts)) {}

  absl::Status Load();
  absl::StatusOr<Live*> Find(const std::string& job_id) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<Live*> FindWorker(const WorkerId& worker) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  JobView View(const Live& live) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::vector<const Job*> Snapshot() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::string NewId(const std::string& name) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // Writes the changed job, and what else changes with it, then makes it the job.
  absl::Status Commit(Live& live, Job changed, StoreChange with = {}) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status Save(StoreChange change) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status MoveTo(Live& live, JobState state, const std::string& error = "")
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  void TickJob(Live& live, absl::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Judgement Judge(Live& live, const LaunchState& look, absl::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Act(Live& live, const Judgement& judgement, absl::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void OnLost(Live& live, const std::string& reason, absl::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void EndGroup(Live& live, const LaunchState& look, absl::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool StartNext(absl::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ShowCounts() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const CoordinatorLimits limits_;
  const CoordinatorParts parts_;

  mutable absl::Mutex mutex_;
  std::map<std::string, std::unique_ptr<Live>> jobs_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, std::string> id_of_request_ ABSL_GUARDED_BY(mutex_);
  int64_t last_number_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t last_queue_order_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t last_version_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Time last_tick_ ABSL_GUARDED_BY(mutex_) = absl::InfiniteFuture();
  absl::Status fatal_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace ip2p::training_coordinator
