// What to do next, as pure functions of what is known: tested without threads, clocks and luck.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "services/training_coordinator/job.h"

namespace ip2p::training_coordinator {

// Slots that this coordinator hands out; a worker takes one.
struct SlotCounts {
  int cpu = 0;
  int gpu = 0;
  int of(bool gpu_kind) const { return gpu_kind ? gpu : cpu; }
};

// Indices of slots of one kind that no job holds, ascending.
std::vector<int> FreeSlots(const std::vector<const Job*>& jobs, const SlotCounts& slots, bool gpu);

// The job whose workers are to be launched now: one whose back-off is over (it kept its slots), else the
// first of the queue for its kind of slot if it fits. Nobody overtakes: a large job that waits for slots
// isn't starved by small ones behind it.
std::optional<std::string> NextToStart(const std::vector<const Job*>& jobs, const SlotCounts& slots,
                                       absl::Time now);

// Place in the queue from 1; 0 when it doesn't wait.
int QueuePosition(const std::vector<const Job*>& jobs, const Job& job);

// A rank of the newest launch, as seen from here.
struct RankView {
  bool joined = false;
  bool stepped = false;        // has reported figures
  absl::Time heard;            // last sign of life
  std::optional<RankEnd> end;  // its own word
  std::optional<int>
      exit_code;  // its process is gone: what it returned, 128 + signal, or -1 when nobody knows
  std::string host;
  int store_port = 0;
  int64_t step = 0;
  absl::Duration step_duration;
};

struct GroupLimits {
  absl::Duration heartbeat = absl::Seconds(1);
  int lost_after = 3;                              // heartbeats missed
  absl::Duration join_timeout = absl::Minutes(5);  // from the launch until every rank has joined
};

struct GroupView {
  absl::Time launched;
  bool formed = false;  // every rank has joined
  std::vector<RankView> ranks;
};

enum class Verdict {
  kGoOn,
  kAllStep,   // every rank reports steps
  kDone,      // every rank reached max_steps
  kStopped,   // every rank stopped as ordered
  kLost,      // a rank is lost or left: the group can't go on, another may
  kHopeless,  // another group would end alike
};

struct Judgement {
  Verdict verdict = Verdict::kGoOn;
  std::string reason;  // of kLost and kHopeless, for people
};

Judgement JudgeGroup(const GroupView& group, const GroupLimits& limits, absl::Time now);

// Worker's exit codes (its own README).
inline constexpr int kExitDone = 0;
inline constexpr int kExitStopped = 3;
inline constexpr int kExitFatal = 42;

// When a job that lost its group starts again: nothing when its restarts are used up. It waits longer each
// time that no checkpoint came in between. `random` in [0, 1).
std::optional<absl::Time> NextRestart(const Job& job, absl::Time now, double random);

// A step that no rank can have passed before all of them have heard of it, at most max_steps.
int64_t CommonSaveStep(const std::vector<RankView>& ranks, absl::Duration heartbeat, int64_t max_steps);

// Steps of checkpoints beyond the newest `keep` that weren't promoted.
std::vector<int64_t> CheckpointsToForget(const std::vector<CheckpointRecord>& newest_first, int keep);

}  // namespace ip2p::training_coordinator
