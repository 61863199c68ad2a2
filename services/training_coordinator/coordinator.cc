// What operators ask. The workers' side is in coordinator_workers.cc, what time brings in
// coordinator_tick.cc.
#include "services/training_coordinator/coordinator.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/log.h"
#include "common/base/random.h"
#include "common/base/status_macros.h"
#include "services/training_coordinator/checkpoint_order.h"
#include "services/training_coordinator/job_moves.h"

namespace ip2p::training_coordinator {
namespace {

constexpr size_t kNameInId = 40;   // characters; with what follows it still fits a Kubernetes name
constexpr size_t kRandomInId = 8;  // characters

}  // namespace

absl::StatusOr<std::unique_ptr<Coordinator>> Coordinator::Open(const CoordinatorLimits& limits,
                                                               CoordinatorParts parts) {
  std::unique_ptr<Coordinator> coordinator(new Coordinator(limits, std::move(parts)));
  IP2P_RETURN_IF_ERROR(coordinator->Load());
  return coordinator;
}

absl::Status Coordinator::Load() {
  absl::MutexLock lock(&mutex_);
  IP2P_ASSIGN_OR_RETURN(StoredState stored, parts_.store->Load());
  const absl::Time now = parts_.clock->Now();
  for (Job& job : stored.jobs) {
    last_number_ = std::max(last_number_, job.number);
    last_queue_order_ = std::max(last_queue_order_, job.queue_order);
    id_of_request_[job.request_id] = job.id;
    auto live = std::make_unique<Live>();
    live->version = ++last_version_;
    live->adopted = job.launched;
    live->stop_since = now;
    live->group.launched = now;
    live->group.formed = !job.store_host.empty();
    live->group.ranks.resize(static_cast<size_t>(job.plan.world_size));
    for (RankView& rank : live->group.ranks) {
      rank.joined = live->group.formed;
      rank.stepped = job.state == JobState::kRunning;
      rank.heard = now + limits_.reconnect_grace;
    }
    for (const RankEnd& end : job.ends) live->group.ranks[static_cast<size_t>(end.rank)].end = end;
    const std::string id = job.id;
    live->job = std::move(job);
    jobs_[id] = std::move(live);
  }
  for (CheckpointRecord& checkpoint : stored.checkpoints) {
    const auto found = jobs_.find(checkpoint.job_id);
    if (found != jobs_.end()) found->second->checkpoints[checkpoint.step] = std::move(checkpoint);
  }
  for (const auto& [id, live] : jobs_) {
    if (!live->job.launched) continue;
    Log(LogLevel::kInfo, "looking for workers", {{"job", id}, {"epoch", live->job.epoch}});
    parts_.launcher->Adopt(OrderOf(live->job));
  }
  ShowCounts();
  return absl::OkStatus();
}

absl::StatusOr<Coordinator::Live*> Coordinator::Find(const std::string& job_id) const {
  const auto found = jobs_.find(job_id);
  if (found == jobs_.end())
    return absl::NotFoundError("no such job; wants the id of one that ListJobs tells");
  return found->second.get();
}

std::vector<const Job*> Coordinator::Snapshot() const {
  std::vector<const Job*> jobs;
  for (const auto& [id, live] : jobs_) jobs.push_back(&live->job);
  return jobs;
}

JobView Coordinator::View(const Live& live) const {
  return {live.job, QueuePosition(Snapshot(), live.job), live.version};
}

absl::Status Coordinator::fatal() const {
  absl::MutexLock lock(&mutex_);
  return fatal_;
}

absl::Status Coordinator::Save(StoreChange change) {
  if (!fatal_.ok()) return absl::UnavailableError("the coordinator is about to start again; try again");
  absl::Status status = parts_.store->Write(change);
  if (status.ok()) return status;
  Log(LogLevel::kError, "the job store refuses a change", {{"status", status.ToString()}});
  if (absl::IsAborted(status)) fatal_ = status;
  // For callers there is one answer: nothing was changed, another try may help.
  return absl::UnavailableError(status.message());
}

absl::Status Coordinator::Commit(Live& live, Job changed, StoreChange with) {
  if (changed.state != live.job.state && !IsLegalMove(live.job.state, changed.state)) {
    return absl::InternalError(
        absl::StrCat("no move leads from ", StateName(live.job.state), " to ", StateName(changed.state)));
  }
  with.job = changed;
  const std::vector<CheckpointRecord> added = with.checkpoints;
  const auto erased = with.erased_checkpoints;
  IP2P_RETURN_IF_ERROR(Save(std::move(with)));
  if (changed.state != live.job.state) {
    Log(LogLevel::kInfo, "job moves",
        {{"job", changed.id},
         {"from", StateName(live.job.state)},
         {"to", StateName(changed.state)},
         {"epoch", changed.epoch}});
  }
  live.job = std::move(changed);
  live.version = ++last_version_;
  for (const CheckpointRecord& checkpoint : added) live.checkpoints[checkpoint.step] = checkpoint;
  for (const auto& [id, step] : erased) live.checkpoints.erase(step);
  return absl::OkStatus();
}

std::string Coordinator::NewId(const std::string& name) const {
  std::string id;
  do {
    id = absl::StrCat(name.substr(0, kNameInId), "-", RandomRequestId().substr(0, kRandomInId));
  } while (jobs_.contains(id));
  return id;
}

absl::StatusOr<JobView> Coordinator::Submit(const JobOrder& order) {
  absl::MutexLock lock(&mutex_);
  if (const auto known = id_of_request_.find(order.request_id); known != id_of_request_.end()) {
    const Live& live = *jobs_.at(known->second);
    if (live.job.spec_digest == order.spec_digest) return View(live);
    return absl::AlreadyExistsError("request_id was used with another spec; wants a new one");
  }
  const std::vector<const Job*> jobs = Snapshot();
  const auto waits = [](const Job* job) { return job->state == JobState::kQueued; };
  if (std::count_if(jobs.begin(), jobs.end(), waits) >= limits_.queue_limit) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the queue is full; wants fewer than ", limits_.queue_limit, " jobs in it"));
  }
  Job job;
  job.id = NewId(order.plan.name);
  job.number = last_number_ + 1;
  job.queue_order = last_queue_order_ + 1;
  job.request_id = order.request_id;
  job.spec = order.spec;
  job.spec_digest = order.spec_digest;
  job.plan = order.plan;
  job.create_time = parts_.clock->Now();
  IP2P_ASSIGN_OR_RETURN(job.token_digest, parts_.folders->MakeJob(job.id));
  if (absl::Status saved = Save({.job = job}); !saved.ok()) {
    parts_.folders->DeleteJob(job.id).IgnoreError();
    return saved;
  }
  ++last_number_;
  ++last_queue_order_;
  auto live = std::make_unique<Live>();
  live->job = job;
  live->version = ++last_version_;
  id_of_request_[job.request_id] = job.id;
  return View(*(jobs_[job.id] = std::move(live)));
}

absl::StatusOr<JobView> Coordinator::Get(const std::string& job_id) const {
  absl::MutexLock lock(&mutex_);
  IP2P_ASSIGN_OR_RETURN(const Live* live, Find(job_id));
  return View(*live);
}

JobPage Coordinator::List(const JobFilter& filter) const {
  absl::MutexLock lock(&mutex_);
  std::vector<const Live*> chosen;
  for (const auto& [id, live] : jobs_) {
    const bool wanted =
        filter.states.empty() || std::count(filter.states.begin(), filter.states.end(), live->job.state) > 0;
    if (wanted && live->job.number < filter.before) chosen.push_back(live.get());
  }
  std::sort(chosen.begin(), chosen.end(),
            [](const Live* a, const Live* b) { return a->job.number > b->job.number; });
  JobPage page;
  for (const Live* live : chosen) {
    if (page.jobs.size() == filter.limit) {
      page.before = page.jobs.back().job.number;
      break;
    }
    page.jobs.push_back(View(*live));
  }
  return page;
}

absl::StatusOr<JobView> Coordinator::Pause(const std::string& job_id) {
  absl::MutexLock lock(&mutex_);
  IP2P_ASSIGN_OR_RETURN(Live * live, Find(job_id));
  IP2P_RETURN_IF_ERROR(WantsState(live->job, JobState::kRunning, "to be paused"));
  if (live->job.wish == Wish::kCancel) {
    return absl::FailedPreconditionError(absl::StrCat("job ", job_id, " is being cancelled"));
  }
  if (live->job.wish == Wish::kPause) return View(*live);
  Job changed = live->job;
  changed.wish = Wish::kPause;
  changed.save_at = SaveStepOf(changed, live->group, limits_.group);
  IP2P_RETURN_IF_ERROR(Commit(*live, std::move(changed)));
  return View(*live);
}

absl::StatusOr<JobView> Coordinator::Resume(const std::string& job_id, std::optional<int64_t> from_step) {
  absl::MutexLock lock(&mutex_);
  IP2P_ASSIGN_OR_RETURN(Live * live, Find(job_id));
  IP2P_RETURN_IF_ERROR(WantsState(live->job, JobState::kPaused, "to be resumed"));
  if (from_step && !live->checkpoints.contains(*from_step)) return NoSuchStep(live->checkpoints, *from_step);
  Job changed = live->job;
  changed.state = JobState::kQueued;
  changed.queue_order = last_queue_order_ + 1;
  changed.from_step = from_step;
  IP2P_RETURN_IF_ERROR(Commit(*live, std::move(changed)));
  ++last_queue_order_;
  return View(*live);
}

absl::StatusOr<JobView> Coordinator::Cancel(const std::string& job_id, bool save_checkpoint) {
  absl::MutexLock lock(&mutex_);
  IP2P_ASSIGN_OR_RETURN(Live * live, Find(job_id));
  if (live->job.state == JobState::kCancelled) return View(*live);
  if (IsFinal(live->job.state)) {
    return absl::FailedPreconditionError(
        absl::StrCat("job ", job_id, " is ", StateName(live->job.state), "; wants one that has not ended"));
  }
  if (!save_checkpoint || live->job.state != JobState::kRunning) {
    IP2P_RETURN_IF_ERROR(MoveTo(*live, JobState::kCancelled));
    return View(*live);
  }
  Job changed = live->job;
  changed.wish = Wish::kCancel;
  changed.save_at = SaveStepOf(changed, live->group, limits_.group);
  IP2P_RETURN_IF_ERROR(Commit(*live, std::move(changed)));
  return View(*live);
}

absl::StatusOr<bool> Coordinator::Delete(const std::string& job_id) {
  {
    absl::MutexLock lock(&mutex_);
    IP2P_ASSIGN_OR_RETURN(Live * live, Find(job_id));
    if (!IsFinal(live->job.state)) {
      return absl::FailedPreconditionError(
          absl::StrCat("job ", job_id, " is ", StateName(live->job.state), "; wants one that has ended"));
    }
    if (live->job.launched) return false;
    if (live->deleting) return absl::AbortedError("another DeleteJob of this job is going on");
    live->deleting = true;
  }
  // Gigabytes, so without the lock.
  absl::Status files = parts_.folders->DeleteJob(job_id);
  if (files.ok() && parts_.mirrors != nullptr) files = parts_.mirrors->DeleteJob(job_id);
  absl::MutexLock lock(&mutex_);
  IP2P_ASSIGN_OR_RETURN(Live * live, Find(job_id));
  live->deleting = false;
  IP2P_RETURN_IF_ERROR(files);
  IP2P_RETURN_IF_ERROR(Save({.erased_job = job_id}));
  id_of_request_.erase(live->job.request_id);
  jobs_.erase(job_id);
  return true;
}

absl::StatusOr<int64_t> Coordinator::OrderSave(const std::string& job_id) {
  absl::MutexLock lock(&mutex_);
  IP2P_ASSIGN_OR_RETURN(Live * live, Find(job_id));
  IP2P_RETURN_IF_ERROR(WantsState(live->job, JobState::kRunning, "to save a checkpoint"));
  if (live->job.save_at) return *live->job.save_at;  // one that is under way serves both
  Job changed = live->job;
  changed.save_at = SaveStepOf(changed, live->group, limits_.group);
  IP2P_RETURN_IF_ERROR(Commit(*live, std::move(changed)));
  return *live->job.save_at;
}

absl::StatusOr<std::optional<CheckpointRecord>> Coordinator::FindSaved(const std::string& job_id,
                                                                       int64_t at_step) const {
  absl::MutexLock lock(&mutex_);
  IP2P_ASSIGN_OR_RETURN(const Live* live, Find(job_id));
  if (const auto found = live->checkpoints.lower_bound(at_step); found != live->checkpoints.end()) {
    return std::optional<CheckpointRecord>(found->second);
  }
  if (live->job.state == JobState::kRunning && live->job.save_at) return std::optional<CheckpointRecord>();
  if (live->job.state == JobState::kRunning || live->job.state == JobState::kStarting ||
      live->job.state == JobState::kRestarting) {
    return absl::UnavailableError("a rank was lost before the checkpoint was saved; try again");
  }
  return absl::FailedPreconditionError(absl::StrCat("job ", job_id, " is ", StateName(live->job.state),
                                                    "; wants RUNNING until the checkpoint is saved"));
}

absl::StatusOr<std::vector<CheckpointRecord>> Coordinator::Checkpoints(const std::string& job_id) const {
  absl::MutexLock lock(&mutex_);
  IP2P_ASSIGN_OR_RETURN(const Live* live, Find(job_id));
  return NewestFirst(live->checkpoints);
}

absl::StatusOr<CheckpointRecord> Coordinator::FindCheckpoint(const std::string& job_id,
                                                             std::optional<int64_t> step) const {
  absl::MutexLock lock(&mutex_);
  IP2P_ASSIGN_OR_RETURN(const Live* live, Find(job_id));
  if (live->checkpoints.empty()) {
    return absl::NotFoundError(absl::StrCat("job ", job_id, " has no checkpoint yet; wants one"));
  }
  if (!step) return NewestFirst(live->checkpoints).front();
  const auto found = live->checkpoints.find(*step);
  if (found == live->checkpoints.end()) return NoSuchStep(live->checkpoints, *step);
  return found->second;
}

absl::StatusOr<CheckpointRecord> Coordinator::NotePromotion(const std::string& job_id, int64_t step,
                                                            const std::string& model) {
  absl::MutexLock lock(&mutex_);
  IP2P_ASSIGN_OR_RETURN(Live * live, Find(job_id));
  const auto found = live->checkpoints.find(step);
  if (found == live->checkpoints.end()) return NoSuchStep(live->checkpoints, step);
  CheckpointRecord changed = found->second;
  if (std::count(changed.promoted_to.begin(), changed.promoted_to.end(), model) > 0) return changed;
  changed.promoted_to.push_back(model);
  IP2P_RETURN_IF_ERROR(Commit(*live, live->job, {.checkpoints = {changed}}));
  return changed;
}

}  // namespace ip2p::training_coordinator
