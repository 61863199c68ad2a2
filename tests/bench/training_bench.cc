// Times whole training steps of instruct-pix2pix on prepared random batches: zero gradients, loss, backward
// pass, AdamW and average. For training.py.
//
//   training_bench MODEL LATENT BATCH STEPS fp32|bf16 THREADS [recompute]
//
// One JSON line: seconds of each step, and the process's peak memory in MB.
#include <ATen/Parallel.h>
#include <sys/resource.h>

#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/base/status_macros.h"
#include "common/pipeline/catch_torch.h"
#include "common/training/adamw.h"
#include "common/training/diffusion_objective.h"
#include "common/training/parameter_set.h"

namespace ip2p {
namespace {

absl::Status Run(int argc, char** argv) {
  const int64_t latent = std::atoi(argv[2]), batch_size = std::atoi(argv[3]);
  const int steps = std::atoi(argv[4]);
  at::set_num_threads(std::atoi(argv[6]));
  TrainConfig config;
  config.gradient_checkpointing = argc > 7 && std::string(argv[7]) == "recompute";
  IP2P_ASSIGN_OR_RETURN(const TrainStart start, OpenStart(argv[1], config));
  IP2P_ASSIGN_OR_RETURN(
      const auto objective,
      DiffusionObjective::Create(start.model, config, {.bf16 = std::string(argv[5]) == "bf16"}));
  ParameterSet parameters(objective->Parameters());
  OptimizerState state{.exp_avg = parameters.NewBuffer(),
                       .exp_avg_sq = parameters.NewBuffer(),
                       .ema = parameters.weights().clone()};
  torch::manual_seed(0);
  const int64_t width = start.model.config.text_encoder.hidden_size;
  TrainBatch batch{.moments = torch::randn({batch_size, 8, latent, latent}),
                   .condition = torch::randn({batch_size, 4, latent, latent}),
                   .text = torch::randn({batch_size, 77, width})};
  for (int64_t i = 0; i < batch_size; ++i) batch.seeds.push_back(i);
  std::string seconds;
  for (int step = 0; step < steps; ++step) {
    const absl::Time begin = absl::Now();
    parameters.ZeroGradients();
    objective->Loss(batch).backward();
    AdamWStep({}, 1e-4, 1, 0.9999, parameters.weights(), parameters.gradients(), state);
    absl::StrAppend(&seconds, step > 0 ? "," : "", absl::ToDoubleSeconds(absl::Now() - begin));
  }
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  std::printf("{\"seconds\":[%s],\"peak_mb\":%ld,\"parameters\":%ld}\n", seconds.c_str(),
              usage.ru_maxrss / 1024, static_cast<long>(parameters.count()));
  return absl::OkStatus();
}

}  // namespace
}  // namespace ip2p

int main(int argc, char** argv) {
  if (argc < 7) {
    std::cerr << "usage: training_bench MODEL LATENT BATCH STEPS fp32|bf16 THREADS [recompute]\n";
    return 1;
  }
  const absl::Status status = ip2p::CatchTorch("training_bench", [&] { return ip2p::Run(argc, argv); });
  if (!status.ok()) std::cerr << status << "\n";
  return status.ok() ? 0 : 1;
}
