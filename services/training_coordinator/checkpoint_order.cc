#include "services/training_coordinator/checkpoint_order.h"

#include <algorithm>
#include <string>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace ip2p::training_coordinator {
namespace {

constexpr size_t kShownSteps = 10;

}  // namespace

std::vector<CheckpointRecord> NewestFirst(const CheckpointsByStep& checkpoints) {
  std::vector<CheckpointRecord> sorted;
  for (const auto& [step, checkpoint] : checkpoints) sorted.push_back(checkpoint);
  std::sort(sorted.begin(), sorted.end(), [](const CheckpointRecord& a, const CheckpointRecord& b) {
    return std::tie(a.create_time, a.step) > std::tie(b.create_time, b.step);
  });
  return sorted;
}

std::optional<int64_t> ResumeStep(const Job& job, const CheckpointsByStep& checkpoints) {
  if (job.from_step) return job.from_step;
  if (checkpoints.empty()) return std::nullopt;
  return NewestFirst(checkpoints).front().step;
}

absl::Status NoSuchStep(const CheckpointsByStep& checkpoints, int64_t step) {
  std::vector<int64_t> steps;
  for (const CheckpointRecord& checkpoint : NewestFirst(checkpoints)) {
    if (steps.size() < kShownSteps) steps.push_back(checkpoint.step);
  }
  return absl::NotFoundError(
      absl::StrCat("step is ", step, "; wants ",
                   steps.empty() ? "a job with checkpoints" : "one of " + absl::StrJoin(steps, ", ")));
}

int64_t SaveStepOf(const Job& job, const GroupView& group, const GroupLimits& limits) {
  return std::max(CommonSaveStep(group.ranks, limits.heartbeat, job.plan.max_steps), job.save_at.value_or(0));
}

LaunchOrder OrderOf(const Job& job) {
  return {.key = {job.id, job.epoch},
          .world_size = job.plan.world_size,
          .threads = job.plan.threads,
          .gpu = job.plan.gpu,
          .slots = job.slots};
}

}  // namespace ip2p::training_coordinator
