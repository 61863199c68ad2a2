// What time brings: groups are judged and ended, jobs started.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/log.h"
#include "services/training_coordinator/checkpoint_order.h"
#include "services/training_coordinator/coordinator.h"
#include "services/training_coordinator/cut_text.h"
#include "services/training_coordinator/job_moves.h"

namespace ip2p::training_coordinator {
namespace {

constexpr absl::Duration kLongestTick = absl::Seconds(1);  // more is a pause of this process
constexpr size_t kMaxError = 4096;                         // bytes

bool MayPass(const absl::Status& status) {
  return absl::IsUnavailable(status) || absl::IsResourceExhausted(status) || absl::IsAborted(status) ||
         absl::IsDeadlineExceeded(status);
}

}  // namespace

absl::Status Coordinator::MoveTo(Live& live, JobState state, const std::string& error) {
  const absl::Time now = parts_.clock->Now();
  Job changed = live.job;
  changed.state = state;
  changed.error = CutText(error, kMaxError);
  if (state == JobState::kRunning && changed.start_time == absl::InfinitePast()) changed.start_time = now;
  if (IsFinal(state)) changed.finish_time = now;
  if (!IsActive(state)) {
    changed.wish = Wish::kNone;
    changed.save_at.reset();
    live.stop_since = now;
  }
  return Commit(live, std::move(changed));
}

void Coordinator::Tick() {
  absl::MutexLock lock(&mutex_);
  const absl::Time now = parts_.clock->Now();
  // A pause of this process, or of its disk, isn't held against the ranks: nobody could be heard.
  const absl::Duration pause = now - last_tick_;
  last_tick_ = now;
  for (const auto& [id, live] : jobs_) {
    if (pause > kLongestTick) {
      for (RankView& rank : live->group.ranks) rank.heard += pause;
    }
    TickJob(*live, now);
  }
  while (StartNext(now)) {
  }
  ShowCounts();
}

void Coordinator::TickJob(Live& live, absl::Time now) {
  if (!live.job.launched) return;
  const LaunchState look = parts_.launcher->Look({live.job.id, live.job.epoch});
  if (IsActive(live.job.state)) {
    Act(live, Judge(live, look, now), now);
  } else if (live.job.state == JobState::kRestarting) {
    // The rank at fault may be heard after one that only suffered.
    const Judgement judgement = Judge(live, look, now);
    if (judgement.verdict == Verdict::kHopeless) {
      MoveTo(live, JobState::kFailed, judgement.reason).IgnoreError();
    }
  }
  if (!IsActive(live.job.state)) EndGroup(live, look, now);
}

Judgement Coordinator::Judge(Live& live, const LaunchState& look, absl::Time now) {
  if (!look.error.ok()) {
    const std::string reason = absl::StrCat("the workers can't be launched: ", look.error.message());
    return {MayPass(look.error) ? Verdict::kLost : Verdict::kHopeless, reason};
  }
  for (size_t i = 0; i < live.group.ranks.size(); ++i) {
    RankView& rank = live.group.ranks[i];
    if (const auto exit = look.exits.find(static_cast<int>(i)); exit != look.exits.end()) {
      rank.exit_code = exit->second;
    } else if (look.gone && !rank.exit_code) {
      rank.exit_code = -1;
    }
  }
  return JudgeGroup(live.group, limits_.group, now);
}

// A change that the store refuses is tried again at the next tick: the verdict will be the same.
void Coordinator::Act(Live& live, const Judgement& judgement, absl::Time now) {
  absl::Status status;
  const auto move = [&](JobState state, const std::string& error = "") ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (status.ok()) status = MoveTo(live, state, error);
  };
  switch (judgement.verdict) {
    case Verdict::kGoOn:
      return;
    case Verdict::kAllStep:
      if (live.job.state == JobState::kStarting) move(JobState::kRunning);
      return;
    case Verdict::kDone:
      if (live.job.state == JobState::kStarting) move(JobState::kRunning);
      move(JobState::kSucceeded);
      return;
    case Verdict::kStopped:
      if (live.job.wish == Wish::kPause) return move(JobState::kPaused);
      if (live.job.wish == Wish::kCancel) return move(JobState::kCancelled);
      return OnLost(live, "the workers stopped, and nobody had asked them to", now);
    case Verdict::kHopeless:
      return move(JobState::kFailed, judgement.reason);
    case Verdict::kLost:
      return OnLost(live, judgement.reason, now);
  }
}

void Coordinator::OnLost(Live& live, const std::string& reason, absl::Time now) {
  Log(LogLevel::kWarning, "group lost",
      {{"job", live.job.id}, {"epoch", live.job.epoch}, {"reason", reason}});
  // It was to be stopped anyway; its last checkpoint stands.
  if (live.job.wish == Wish::kPause) return MoveTo(live, JobState::kPaused).IgnoreError();
  if (live.job.wish == Wish::kCancel) return MoveTo(live, JobState::kCancelled).IgnoreError();

  Job changed = live.job;
  changed.state = JobState::kRestarting;
  changed.save_at.reset();
  // Workers that a former coordinator meant to start and that never came aren't the job's fault.
  const bool never_came = live.adopted && !live.group.formed && live.job.ends.empty();
  if (never_came) {
    changed.not_before = now;
  } else {
    const std::optional<absl::Time> next = NextRestart(live.job, now, parts_.random());
    if (!next) {
      const std::string error =
          absl::StrCat(reason, "; ", live.job.restarts, " restarts are used up (max_restarts)");
      return MoveTo(live, JobState::kFailed, error).IgnoreError();
    }
    changed.not_before = *next;
    ++changed.restarts;
    ++changed.fruitless_restarts;
  }
  if (!Commit(live, std::move(changed)).ok()) return;
  live.stop_since = now;
  if (!never_came) parts_.metrics->OnRestart(live.job.plan.objective);
}

void Coordinator::EndGroup(Live& live, const LaunchState& look, absl::Time now) {
  const LaunchKey key{live.job.id, live.job.epoch};
  if (!look.gone) {
    const bool all_left = std::all_of(live.group.ranks.begin(), live.group.ranks.end(),
                                      [](const RankView& rank) { return rank.end.has_value(); });
    const bool kill = now - live.stop_since > limits_.stop_grace;
    if (kill || !all_left) parts_.launcher->Stop(key, kill);
    return;
  }
  Job changed = live.job;
  changed.launched = false;
  if (changed.state != JobState::kRestarting) changed.slots.clear();
  if (!Commit(live, std::move(changed)).ok()) return;
  parts_.launcher->Forget(key);
}

bool Coordinator::StartNext(absl::Time now) {
  const std::vector<const Job*> jobs = Snapshot();
  const std::optional<std::string> next = NextToStart(jobs, limits_.slots, now);
  if (!next) return false;
  Live& live = *jobs_.at(*next);
  Job changed = live.job;
  if (changed.slots.empty()) {
    changed.slots = FreeSlots(jobs, limits_.slots, changed.plan.gpu);
    changed.slots.resize(static_cast<size_t>(changed.plan.world_size));
  }
  changed.state = JobState::kStarting;
  changed.epoch += 1;
  changed.launched = true;  // written before they are started: never twice
  changed.resume_step = ResumeStep(live.job, live.checkpoints);
  changed.store_host.clear();
  changed.store_port = 0;
  changed.ends.clear();
  if (!Commit(live, std::move(changed)).ok()) return false;
  live.group = GroupView{.launched = now};
  live.group.ranks.resize(static_cast<size_t>(live.job.plan.world_size));
  live.adopted = false;
  live.launch_figures.reset();
  parts_.launcher->Launch(OrderOf(live.job));
  return true;
}

void Coordinator::ShowCounts() {
  std::map<JobState, int> counts;
  for (int state = 1; state <= static_cast<int>(JobState::kCancelled); ++state) {
    counts[static_cast<JobState>(state)] = 0;
  }
  for (const auto& [id, live] : jobs_) ++counts[live->job.state];
  parts_.metrics->SetJobs(counts);
  const std::vector<const Job*> jobs = Snapshot();
  for (const bool gpu : {false, true}) {
    const auto free = static_cast<int>(FreeSlots(jobs, limits_.slots, gpu).size());
    parts_.metrics->SetSlots(gpu ? "gpu" : "cpu", free, limits_.slots.of(gpu) - free);
  }
}

}  // namespace ip2p::training_coordinator
