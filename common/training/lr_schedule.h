// How the learning rate moves. Pure functions, as diffusers' get_scheduler gives it.
#pragma once

#include <cstdint>

#include "common/training/train_config.h"

namespace ip2p {

// Factor of the peak rate for the step that starts after `finished` steps: finished / warmup_steps during the
// warm-up, then 1, or half a cosine from 1 down to 0 at max_steps.
double LrFactor(LrSchedule schedule, int64_t finished, int64_t warmup_steps, int64_t max_steps);

double LearningRate(const TrainConfig& config, int64_t finished);

}  // namespace ip2p
