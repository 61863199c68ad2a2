// What workers report.
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/log.h"
#include "common/base/sha256.h"
#include "common/base/status_macros.h"
#include "services/training_coordinator/checkpoint_order.h"
#include "services/training_coordinator/coordinator.h"
#include "services/training_coordinator/job_moves.h"

namespace ip2p::training_coordinator {
namespace {

// Digests of one length: what differs first tells nothing about the token.
bool IsToken(const std::string& token, const std::string& digest) { return Sha256Hex(token) == digest; }

}  // namespace

absl::StatusOr<Coordinator::Live*> Coordinator::FindWorker(const WorkerId& worker) const {
  IP2P_ASSIGN_OR_RETURN(Live * live, Find(worker.job_id));
  if (!IsToken(worker.token, live->job.token_digest)) {
    return absl::PermissionDeniedError("the token is not the job's");
  }
  if (worker.epoch != live->job.epoch) {
    return absl::AbortedError(absl::StrCat("worker.epoch is ", worker.epoch, "; wants ", live->job.epoch,
                                           ": this worker was replaced"));
  }
  if (!live->job.launched) return absl::AbortedError("the group of this worker has ended");
  if (worker.rank < 0 || worker.rank >= live->job.plan.world_size) {
    return absl::InvalidArgumentError(
        absl::StrCat("worker.rank is ", worker.rank, "; wants 0..", live->job.plan.world_size - 1));
  }
  return live;
}

absl::Status Coordinator::CheckWorker(const WorkerId& worker) const {
  absl::MutexLock lock(&mutex_);
  return FindWorker(worker).status();
}

absl::Status Coordinator::Join(const WorkerId& worker, const std::string& host, int store_port) {
  absl::MutexLock lock(&mutex_);
  IP2P_ASSIGN_OR_RETURN(Live * live, FindWorker(worker));
  if (!IsActive(live->job.state)) return absl::AbortedError("the group of this worker is being stopped");
  GroupView& group = live->group;
  RankView& rank = group.ranks[static_cast<size_t>(worker.rank)];
  if (rank.stepped || rank.end) {
    return absl::AbortedError(
        absl::StrCat("rank ", worker.rank, " is under way already; wants one worker a rank"));
  }
  rank.joined = true;
  rank.heard = parts_.clock->Now();
  rank.host = host;
  rank.store_port = store_port;
  for (const RankView& other : group.ranks) {
    if (!other.joined) return absl::OkStatus();
  }
  if (group.formed || group.ranks.front().host.empty()) return absl::OkStatus();
  // From here on every rank gets the same answer, whatever becomes of this process.
  Job changed = live->job;
  changed.store_host = group.ranks.front().host;
  changed.store_port = group.ranks.front().store_port;
  IP2P_RETURN_IF_ERROR(Commit(*live, std::move(changed)));
  group.formed = true;
  Log(LogLevel::kInfo, "group formed", {{"job", worker.job_id}, {"epoch", worker.epoch}});
  return absl::OkStatus();
}

absl::StatusOr<std::optional<GroupInfo>> Coordinator::Group(const WorkerId& worker) {
  absl::MutexLock lock(&mutex_);
  IP2P_ASSIGN_OR_RETURN(Live * live, FindWorker(worker));
  if (!IsActive(live->job.state)) return absl::AbortedError("the group of this worker is being stopped");
  GroupView& group = live->group;
  group.ranks[static_cast<size_t>(worker.rank)].heard = parts_.clock->Now();
  if (!group.formed) {
    if (parts_.clock->Now() - group.launched <= limits_.group.join_timeout) return std::optional<GroupInfo>();
    return absl::DeadlineExceededError(
        absl::StrCat("not every rank joined within ", absl::FormatDuration(limits_.group.join_timeout)));
  }
  return std::optional<GroupInfo>({.spec = live->job.spec,
                                   .store_host = live->job.store_host,
                                   .store_port = live->job.store_port,
                                   .resume_step = live->job.resume_step,
                                   .mirror = parts_.mirrors ? parts_.mirrors->Url(worker.job_id) : "",
                                   .heartbeat = limits_.group.heartbeat});
}

absl::StatusOr<OrderAt> Coordinator::Heartbeat(const WorkerId& worker,
                                               const std::optional<StepFigures>& figures) {
  absl::MutexLock lock(&mutex_);
  IP2P_ASSIGN_OR_RETURN(Live * live, FindWorker(worker));
  const Job& job = live->job;
  if (!IsActive(job.state)) return OrderAt{Order::kStop};
  RankView& rank = live->group.ranks[static_cast<size_t>(worker.rank)];
  rank.joined = true;
  rank.heard = parts_.clock->Now();
  if (figures) {
    rank.stepped = true;
    rank.step = figures->step;
    rank.step_duration = figures->step_duration;
    if (worker.rank == 0 && live->launch_figures != figures) {
      parts_.metrics->OnFigures(job.plan.objective, live->launch_figures, *figures);
      live->launch_figures = figures;
      live->job.figures = figures;  // kept with the next change that is
      live->version = ++last_version_;
    }
  }
  if (job.wish != Wish::kNone && job.save_at) return OrderAt{Order::kSaveAndStop, *job.save_at};
  if (job.save_at) return OrderAt{Order::kSave, *job.save_at};
  return OrderAt{};
}

absl::Status Coordinator::RecordCheckpoint(const WorkerId& worker, CheckpointRecord checkpoint) {
  absl::MutexLock lock(&mutex_);
  IP2P_ASSIGN_OR_RETURN(Live * live, FindWorker(worker));
  const int64_t step = checkpoint.step;
  checkpoint.job_id = worker.job_id;
  checkpoint.create_time = parts_.clock->Now();
  CheckpointsByStep all = live->checkpoints;
  if (const auto old = all.find(step); old != all.end()) checkpoint.promoted_to = old->second.promoted_to;
  all[step] = checkpoint;
  StoreChange with{.checkpoints = {checkpoint}};
  for (const int64_t old : CheckpointsToForget(NewestFirst(all), live->job.plan.keep_checkpoints)) {
    with.erased_checkpoints.emplace_back(worker.job_id, old);
  }
  Job changed = live->job;
  changed.from_step.reset();
  changed.fruitless_restarts = 0;
  if (changed.wish == Wish::kNone && changed.save_at && step >= *changed.save_at) changed.save_at.reset();
  IP2P_RETURN_IF_ERROR(Commit(*live, std::move(changed), std::move(with)));
  parts_.metrics->OnCheckpoint(live->job.plan.objective, checkpoint.create_time);
  return absl::OkStatus();
}

absl::Status Coordinator::Leave(const WorkerId& worker, Outcome outcome, const std::string& message) {
  absl::MutexLock lock(&mutex_);
  IP2P_ASSIGN_OR_RETURN(Live * live, FindWorker(worker));
  RankView& rank = live->group.ranks[static_cast<size_t>(worker.rank)];
  if (rank.end) return absl::OkStatus();  // its answer was lost
  const RankEnd end{worker.rank, outcome, message};
  Job changed = live->job;
  changed.ends.push_back(end);
  IP2P_RETURN_IF_ERROR(Commit(*live, std::move(changed)));
  rank.end = end;
  return absl::OkStatus();
}

}  // namespace ip2p::training_coordinator
