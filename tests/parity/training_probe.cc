// Runs training steps of a diffusion objective on given inputs, for the parity tests.
//
//   training_probe MODEL IN.safetensors OUT.safetensors instruct-pix2pix|text-to-image [text] [recompute]
//   [min-snr] [guided] [loss]
//
// In, for step i from 0: "i.after", "i.before" [N,3,R,R]; "i.ids" [N,77]; "i.timesteps" [N] int64; "i.noise",
// "i.posterior_noise" [N,4,h,w]; "i.dropout" [N]. Out: "loss.i"; "grad.NAME" of step 0; "weight.NAME" and
// "ema.NAME" after the last. "text": the text encoder learns too; "min-snr": a gamma of 5; "guided": text
// guidance of 3 is fitted; "loss": nothing learns, "loss.0" is all. Exit code 1 and a message on any failure.
#include <iostream>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/checkpoint/safetensors.h"
#include "common/pipeline/catch_torch.h"
#include "common/training/adamw.h"
#include "common/training/diffusion_objective.h"
#include "common/training/parameter_set.h"

namespace ip2p {
namespace {

constexpr double kLearningRate = 1e-4;
constexpr double kEmaDecay = 0.9999;

void Append(const TensorMap& from, const std::string& prefix, TensorMap& all) {
  for (const auto& [name, view] : from) all[prefix + name] = view;
}

absl::Status Run(const std::string& model, const std::string& in, const std::string& out,
                 const std::string& objective, const std::set<std::string>& words) {
  TrainConfig config;
  config.objective =
      objective == "text-to-image" ? TrainObjective::kTextToImage : TrainObjective::kInstructPix2Pix;
  if (config.objective == TrainObjective::kTextToImage) config.drop_text = 0.1;
  config.train_text_encoder = words.contains("text");
  if (words.contains("min-snr")) config.min_snr_gamma = 5;
  if (words.contains("guided")) config.fit_guidance = 3;
  config.gradient_checkpointing = words.contains("recompute");
  IP2P_ASSIGN_OR_RETURN(const TrainStart start, OpenStart(model, config));
  IP2P_ASSIGN_OR_RETURN(const auto made, DiffusionObjective::Create(start.model, config, {}));
  IP2P_ASSIGN_OR_RETURN(const SafetensorsFile file, ReadSafetensors(in, "inputs"));
  TensorMap results;
  const auto batch_at = [&](int step, DiffusionDraws& draws) {
    const auto input = [&](const char* name) {
      const auto found = file.tensors.find(absl::StrCat(step, ".", name));
      return found == file.tensors.end() ? torch::Tensor() : FromTensorView(found->second);
    };
    TrainBatch batch{.before = input("before"), .after = input("after"), .ids = input("ids")};
    draws = {.timesteps = input("timesteps"),
             .noise = input("noise"),
             .posterior_noise = input("posterior_noise"),
             .dropout = input("dropout")};
    if (batch.after.defined()) made->Prepare(batch);
    return batch;
  };
  DiffusionDraws draws;
  if (words.contains("loss")) {
    const torch::NoGradGuard no_grad;
    const TrainBatch batch = batch_at(0, draws);
    results["loss.0"] = ToTensorView(made->LossOf(batch, draws));
    return WriteSafetensors(out, results, {});
  }
  ParameterSet parameters(made->Parameters());
  OptimizerState state = NewOptimizerState(parameters, /*moments_in_8_bits=*/false, /*averages=*/true);
  for (int step = 0;; ++step) {
    const TrainBatch batch = batch_at(step, draws);
    if (!batch.after.defined()) break;
    parameters.ZeroGradients();
    const torch::Tensor loss = made->LossOf(batch, draws);
    results[absl::StrCat("loss.", step)] = ToTensorView(loss);
    loss.backward();
    if (step == 0) {
      const torch::Tensor gradients = parameters.AllGradients();
      Append(parameters.ToTensors(gradients), "grad.", results);
    }
    AdamWStep({}, kLearningRate, /*gradient_scale=*/1, kEmaDecay, parameters, state);
  }
  Append(parameters.ToTensors(parameters.weights()), "weight.", results);
  Append(parameters.ToTensors(state.ema), "ema.", results);
  return WriteSafetensors(out, results, {});
}

}  // namespace
}  // namespace ip2p

int main(int argc, char** argv) {
  if (argc < 5) {
    std::cerr << "usage: training_probe MODEL IN OUT OBJECTIVE [text] [recompute] [min-snr] [loss]\n";
    return 1;
  }
  const absl::Status status = ip2p::CatchTorch("training_probe", [&] {
    return ip2p::Run(argv[1], argv[2], argv[3], argv[4], {argv + 5, argv + argc});
  });
  if (status.ok()) return 0;
  std::cerr << status << "\n";
  return 1;
}
