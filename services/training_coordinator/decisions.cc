#include "services/training_coordinator/decisions.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "absl/strings/str_cat.h"
#include "common/base/retry_policy.h"
#include "services/training_coordinator/job_moves.h"

namespace ip2p::training_coordinator {
namespace {

constexpr absl::Duration kFirstWait = absl::Seconds(1);  // doubles with each restart
constexpr absl::Duration kLongestWait = absl::Minutes(2);
constexpr double kMostStepsAhead = 1e6;

bool QueuedBefore(const Job* a, const Job* b) { return a->queue_order < b->queue_order; }

std::vector<const Job*> Queue(const std::vector<const Job*>& jobs, bool gpu) {
  std::vector<const Job*> queue;
  for (const Job* job : jobs) {
    if (job->state == JobState::kQueued && job->plan.gpu == gpu) queue.push_back(job);
  }
  std::sort(queue.begin(), queue.end(), QueuedBefore);
  return queue;
}

std::string Named(size_t rank, const std::string& what, const std::string& message) {
  return absl::StrCat("rank ", rank, " ", what, message.empty() ? "" : ": ", message);
}

// By its own word, else by its exit code.
std::optional<Outcome> OutcomeOf(const RankView& rank) {
  if (rank.end) return rank.end->outcome;
  if (!rank.exit_code) return std::nullopt;
  switch (*rank.exit_code) {
    case kExitDone:
      return Outcome::kDone;
    case kExitStopped:
      return Outcome::kStopped;
    case kExitFatal:
      return Outcome::kFatal;
    default:
      return Outcome::kRetryable;
  }
}

std::string HowItEnded(size_t index, const RankView& rank) {
  if (rank.end) return Named(index, "left", rank.end->message);
  if (*rank.exit_code < 0) return Named(index, "ended without a word", "");
  if (*rank.exit_code > 128)
    return Named(index, absl::StrCat("was killed by signal ", *rank.exit_code - 128), "");
  return Named(index, absl::StrCat("ended with exit code ", *rank.exit_code), "");
}

}  // namespace

std::vector<int> FreeSlots(const std::vector<const Job*>& jobs, const SlotCounts& slots, bool gpu) {
  std::set<int> taken;
  for (const Job* job : jobs) {
    if (HoldsSlots(*job) && job->plan.gpu == gpu) taken.insert(job->slots.begin(), job->slots.end());
  }
  std::vector<int> free;
  for (int slot = 0; slot < slots.of(gpu); ++slot) {
    if (!taken.contains(slot)) free.push_back(slot);
  }
  return free;
}

std::optional<std::string> NextToStart(const std::vector<const Job*>& jobs, const SlotCounts& slots,
                                       absl::Time now) {
  for (const Job* job : jobs) {
    if (job->state == JobState::kRestarting && !job->launched && now >= job->not_before) return job->id;
  }
  for (const bool gpu : {false, true}) {
    const std::vector<const Job*> queue = Queue(jobs, gpu);
    if (queue.empty() || queue.front()->launched) continue;  // its former workers are still on their way out
    if (FreeSlots(jobs, slots, gpu).size() >= static_cast<size_t>(queue.front()->plan.world_size)) {
      return queue.front()->id;
    }
  }
  return std::nullopt;
}

int QueuePosition(const std::vector<const Job*>& jobs, const Job& job) {
  if (job.state != JobState::kQueued) return 0;
  return 1 + static_cast<int>(std::count_if(jobs.begin(), jobs.end(), [&job](const Job* other) {
           return other->state == JobState::kQueued && other->plan.gpu == job.plan.gpu &&
                  QueuedBefore(other, &job);
         }));
}

Judgement JudgeGroup(const GroupView& group, const GroupLimits& limits, absl::Time now) {
  size_t done = 0;
  size_t stopped = 0;
  size_t stepped = 0;
  std::optional<Judgement> lost;
  const absl::Duration silence = limits.heartbeat * limits.lost_after;
  for (size_t i = 0; i < group.ranks.size(); ++i) {
    const RankView& rank = group.ranks[i];
    stepped += rank.stepped ? 1 : 0;
    if (const std::optional<Outcome> outcome = OutcomeOf(rank)) {
      // The reason of the first rank that is at fault counts more than what its peers suffered.
      if (*outcome == Outcome::kFatal) return {Verdict::kHopeless, HowItEnded(i, rank)};
      if (*outcome == Outcome::kRetryable && !lost) lost = {Verdict::kLost, HowItEnded(i, rank)};
      done += *outcome == Outcome::kDone ? 1 : 0;
      stopped += *outcome == Outcome::kStopped ? 1 : 0;
    } else if (rank.joined && now - rank.heard > silence && !lost) {
      lost = {Verdict::kLost,
              Named(i,
                    absl::StrCat("was silent for ", absl::FormatDuration(absl::Trunc(
                                                        now - rank.heard, absl::Milliseconds(100)))),
                    "")};
    } else if (!rank.joined && !group.formed && now - group.launched > limits.join_timeout && !lost) {
      lost = {Verdict::kLost,
              Named(i, absl::StrCat("did not join within ", absl::FormatDuration(limits.join_timeout)), "")};
    }
  }
  if (lost) return *lost;
  if (done == group.ranks.size()) return {Verdict::kDone, ""};
  if (done + stopped == group.ranks.size()) return {Verdict::kStopped, ""};
  if (stepped == group.ranks.size()) return {Verdict::kAllStep, ""};
  return {};
}

std::optional<absl::Time> NextRestart(const Job& job, absl::Time now, double random) {
  if (job.restarts >= job.plan.max_restarts) return std::nullopt;
  const int attempt = job.fruitless_restarts + 1;
  const RetryPolicy policy{
      .max_attempts = attempt + 1, .first_wait = kFirstWait, .longest_wait = kLongestWait};
  const RetryDecision decision = NextRetry(policy, {.attempt = attempt, .now = now, .random = random});
  return now + decision.wait;
}

int64_t CommonSaveStep(const std::vector<RankView>& ranks, absl::Duration heartbeat, int64_t max_steps) {
  int64_t newest = 0;
  absl::Duration fastest = absl::InfiniteDuration();
  for (const RankView& rank : ranks) {
    newest = std::max(newest, rank.step);
    if (rank.step_duration > absl::ZeroDuration()) fastest = std::min(fastest, rank.step_duration);
  }
  // Figures are up to a heartbeat old, an order takes another one, and who is silent for three is lost.
  const double ahead = std::min(std::ceil(absl::FDivDuration(4 * heartbeat, fastest)), kMostStepsAhead);
  return std::min(newest + 1 + std::max<int64_t>(static_cast<int64_t>(ahead), 1), max_steps);
}

std::vector<int64_t> CheckpointsToForget(const std::vector<CheckpointRecord>& newest_first, int keep) {
  std::vector<int64_t> steps;
  int kept = 0;
  for (const CheckpointRecord& checkpoint : newest_first) {
    if (!checkpoint.promoted_to.empty()) continue;
    if (++kept > keep) steps.push_back(checkpoint.step);
  }
  return steps;
}

}  // namespace ip2p::training_coordinator
