// Times whole training steps of instruct-pix2pix on prepared random batches: zero gradients, loss, backward
// pass, AdamW and average. For training.py.
//
//   training_bench MODEL LATENT BATCH STEPS fp32|bf16 THREADS [recompute] [adamw8] [no-average]
//     [rank=0|1 port=N]
//
// With a rank: one of two processes, which exchange their gradients. One JSON line: seconds of each step, the
// process's memory in MB at rest after two steps, and its peak from there on.
#include <ATen/Parallel.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/base/status_macros.h"
#include "common/model/process_memory.h"
#include "common/pipeline/catch_torch.h"
#include "common/training/adamw.h"
#include "common/training/diffusion_objective.h"
#include "common/training/gradient_exchange.h"
#include "common/training/parameter_set.h"
#include "common/training/rank_group.h"

namespace ip2p {
namespace {

constexpr int kWarmUp = 2;

// The value of WORD=N among the words; -1 without one.
int NumberOf(const std::set<std::string>& words, const std::string& word) {
  int number = -1;
  for (absl::string_view text : words) {
    if (absl::ConsumePrefix(&text, word + "=") && !absl::SimpleAtoi(text, &number)) return -1;
  }
  return number;
}

// MB of resident memory; `field` is VmRSS or VmHWM.
int64_t MemoryOf(const std::string& field) {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    int64_t kilobytes = 0;
    if (word == field + ":" && status >> kilobytes) return kilobytes / 1024;
  }
  return 0;
}

struct Ranks {
  std::shared_ptr<Rendezvous> store;
  std::unique_ptr<RankGroup> group;
};

absl::StatusOr<Ranks> Meet(int rank, int port) {
  Ranks ranks;
  if (rank == 0) {
    IP2P_ASSIGN_OR_RETURN(ranks.store, Rendezvous::Create(port));
  }
  IP2P_ASSIGN_OR_RETURN(ranks.group, RankGroup::Create(rank, 2, {.host = "127.0.0.1", .port = port},
                                                       ranks.store.get(), torch::kCPU, RankTimeouts()));
  return ranks;
}

absl::Status Run(const std::vector<std::string>& args) {
  const int64_t latent = std::atoi(args[1].c_str()), batch_size = std::atoi(args[2].c_str());
  const int steps = std::atoi(args[3].c_str());
  const std::set<std::string> words(args.begin() + 6, args.end());
  at::set_num_threads(std::atoi(args[5].c_str()));
  TrainConfig config;
  config.gradient_checkpointing = words.contains("recompute");
  Ranks ranks;
  if (const int rank = NumberOf(words, "rank"); rank >= 0) {
    IP2P_ASSIGN_OR_RETURN(ranks, Meet(rank, NumberOf(words, "port")));
  }
  std::unique_ptr<DiffusionObjective> objective;
  int64_t width = 0;
  {
    IP2P_ASSIGN_OR_RETURN(const TrainStart start, OpenStart(args[0], config));
    IP2P_ASSIGN_OR_RETURN(objective,
                          DiffusionObjective::Create(start.model, config, {.bf16 = args[4] == "bf16"}));
    width = start.model.config.text_encoder.hidden_size;
  }
  objective->ForgetFrozen();  // the batches are prepared, as those of cached latents are
  ParameterSet parameters(objective->Parameters());
  OptimizerState state =
      NewOptimizerState(parameters, words.contains("adamw8"), /*averages=*/!words.contains("no-average"));
  std::unique_ptr<GradientExchange> exchange;
  if (ranks.group) exchange = std::make_unique<GradientExchange>(parameters, *ranks.group);
  torch::manual_seed(0);
  TrainBatch batch{.moments = torch::randn({batch_size, 8, latent, latent}),
                   .condition = torch::randn({batch_size, 4, latent, latent}),
                   .text = torch::randn({batch_size, 77, width})};
  for (int64_t i = 0; i < batch_size; ++i) batch.seeds.push_back(i);
  std::vector<double> seconds;
  int64_t rest = 0;
  for (int step = 0; step < steps; ++step) {
    if (step == std::min(kWarmUp, steps - 1)) {
      TrimHeap();
      rest = MemoryOf("VmRSS");
      std::ofstream("/proc/self/clear_refs") << "5";  // the peak starts again
    }
    const absl::Time begin = absl::Now();
    parameters.ZeroGradients();
    const torch::Tensor loss = objective->Loss(batch);
    if (exchange) exchange->Arm();
    loss.backward();
    if (exchange) exchange->Finish();
    AdamWStep({}, 1e-4, ranks.group ? 0.5 : 1, 0.9999, parameters, state);
    seconds.push_back(absl::ToDoubleSeconds(absl::Now() - begin));
  }
  std::printf("{\"seconds\":[%s],\"rest_mb\":%ld,\"peak_mb\":%ld,\"parameters\":%ld}\n",
              absl::StrJoin(seconds, ",").c_str(), static_cast<long>(rest),
              static_cast<long>(MemoryOf("VmHWM")), static_cast<long>(parameters.count()));
  return absl::OkStatus();
}

}  // namespace
}  // namespace ip2p

int main(int argc, char** argv) {
  if (argc < 7) {
    std::cerr << "usage: training_bench MODEL LATENT BATCH STEPS fp32|bf16 THREADS [recompute] [adamw8] "
                 "[rank=0|1 port=N]\n";
    return 1;
  }
  const absl::Status status = ip2p::CatchTorch("training_bench", [&] {
    return ip2p::Run({argv + 1, argv + argc});
  });
  if (!status.ok()) std::cerr << status << "\n";
  return status.ok() ? 0 : 1;
}
