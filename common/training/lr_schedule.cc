// See lr_schedule.h.
#include "common/training/lr_schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace ip2p {

double LrFactor(LrSchedule schedule, int64_t finished, int64_t warmup_steps, int64_t max_steps) {
  if (finished < warmup_steps) return static_cast<double>(finished) / static_cast<double>(warmup_steps);
  if (schedule == LrSchedule::kConstant) return 1;
  const double way = static_cast<double>(finished - warmup_steps) /
                     static_cast<double>(std::max<int64_t>(1, max_steps - warmup_steps));
  return std::max(0.0, 0.5 * (1 + std::cos(std::numbers::pi * std::min(way, 1.0))));
}

double LearningRate(const TrainConfig& config, int64_t finished) {
  return config.learning_rate * LrFactor(config.lr_schedule, finished, config.warmup_steps, config.max_steps);
}

}  // namespace ip2p
