// Runs samplers and the schedule's arithmetic on given inputs, for the parity tests.
//
//   sampler_probe IN.safetensors OUT.safetensors
//
// IN's metadata names runs, "runs": "euler_a/karras/20/SEED ...", and sigma lists, "schedules": "karras/20
// ...". Its tensors (float32): x, output [1,C,h,w]; mean, of the denoiser below; sigmas [K]; timesteps [T].
// OUT: "run/NAME", "schedule/NAME", "timesteps" of IN's sigmas, "sigmas" of IN's timesteps, and for each
// sigma "input", "epsilon" and "v" [K,C,h,w]: what the network is given at x, and what `output` then means.
// Exit code 1 and a message on any failure.
#include <torch/types.h>

#include <iostream>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/base/status_macros.h"
#include "common/checkpoint/safetensors.h"
#include "common/diffusion/denoiser.h"
#include "common/diffusion/request_noise.h"
#include "common/diffusion/sampler.h"

namespace ip2p {
namespace {

using torch::Tensor;

// Normal data around `mean` with standard deviation 0.5, and a term that is neither linear in x nor flat in
// sigma. test_samplers.py has the same.
Tensor AnalyticDenoised(const Tensor& mean, const Tensor& x, double sigma) {
  const double variance = sigma * sigma;
  return (x * 0.25 + mean * variance) / (0.25 + variance) +
         torch::tanh(x) * (0.3 * variance / ((1 + variance) * (1 + variance)));
}

absl::StatusOr<Tensor> Run(const std::string& name, const Tensor& mean, const NoiseSchedule& schedule) {
  const std::vector<std::string> parts = absl::StrSplit(name, '/');
  SamplerConfig config;
  uint64_t seed = 0;
  if (parts.size() != 4 || !absl::SimpleAtoi(parts[2], &config.steps) || !absl::SimpleAtoi(parts[3], &seed)) {
    return absl::InvalidArgumentError(
        absl::StrCat("run is \"", name, "\"; wants SAMPLER/SCHEDULE/STEPS/SEED"));
  }
  IP2P_ASSIGN_OR_RETURN(config.kind, ParseSampler(parts[0]));
  IP2P_ASSIGN_OR_RETURN(config.schedule, ParseSchedule(parts[1]));
  NoiseGenerator noise(seed, torch::kCPU);
  IP2P_ASSIGN_OR_RETURN(const auto sampler,
                        Sampler::Create(config, schedule, [&] { return noise.Draw(mean.sizes()); }));
  while (!sampler->done()) sampler->Feed(AnalyticDenoised(mean, sampler->x(), sampler->sigma()));
  return sampler->latents();
}

absl::StatusOr<Tensor> Sigmas(const std::string& name, const NoiseSchedule& schedule) {
  const std::vector<std::string> parts = absl::StrSplit(name, '/');
  int steps = 0;
  if (parts.size() != 2 || !absl::SimpleAtoi(parts[1], &steps)) {
    return absl::InvalidArgumentError(absl::StrCat("schedule is \"", name, "\"; wants SCHEDULE/STEPS"));
  }
  IP2P_ASSIGN_OR_RETURN(const SigmaSchedule kind, ParseSchedule(parts[0]));
  return torch::tensor(kind == SigmaSchedule::kKarras        ? schedule.KarrasSigmas(steps)
                       : kind == SigmaSchedule::kExponential ? schedule.ExponentialSigmas(steps)
                                                             : schedule.DefaultSigmas(steps),
                       torch::kFloat32);
}

std::vector<std::string> Words(const SafetensorsFile& file, const char* key) {
  return absl::StrSplit(file.metadata.at(key), ' ');
}

absl::Status Probe(const std::string& in, const std::string& out) {
  IP2P_ASSIGN_OR_RETURN(const SafetensorsFile file, ReadSafetensors(in, "inputs"));
  const auto input = [&](const char* name) {
    const TensorView& view = file.tensors.at(name);
    return torch::from_blob(const_cast<std::byte*>(view.data.data()), view.shape, torch::kFloat32).clone();
  };
  const NoiseSchedule schedule{SchedulerConfig{}};
  std::map<std::string, Tensor> results;
  for (const std::string& name : Words(file, "runs")) {
    IP2P_ASSIGN_OR_RETURN(results["run/" + name], Run(name, input("mean"), schedule));
  }
  for (const std::string& name : Words(file, "schedules")) {
    IP2P_ASSIGN_OR_RETURN(results["schedule/" + name], Sigmas(name, schedule));
  }
  std::vector<double> timesteps, sigmas;
  std::vector<Tensor> inputs, epsilon, v;
  const Tensor x = input("x"), output = input("output"), given_sigmas = input("sigmas"),
               given_t = input("timesteps");
  for (int64_t i = 0; i < given_sigmas.size(0); ++i) {
    const double sigma = given_sigmas[i].item<double>();
    timesteps.push_back(schedule.SigmaToTimestep(sigma));
    inputs.push_back(NetworkInput(x, sigma));
    epsilon.push_back(Denoised(PredictionType::kEpsilon, x, sigma, output));
    v.push_back(Denoised(PredictionType::kVPrediction, x, sigma, output));
  }
  for (int64_t i = 0; i < given_t.size(0); ++i)
    sigmas.push_back(schedule.TimestepToSigma(given_t[i].item<double>()));
  results["timesteps"] = torch::tensor(timesteps, torch::kFloat32);
  results["sigmas"] = torch::tensor(sigmas, torch::kFloat32);
  results["input"] = torch::cat(inputs);
  results["epsilon"] = torch::cat(epsilon);
  results["v"] = torch::cat(v);

  TensorMap tensors;
  for (auto& [name, result] : results) {
    result = result.contiguous();
    const std::span<const float> values(result.data_ptr<float>(), result.numel());
    tensors[name] = {DType::kFloat32, result.sizes().vec(), std::as_bytes(values), nullptr};
  }
  return WriteSafetensors(out, tensors, {});
}

}  // namespace
}  // namespace ip2p

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: sampler_probe IN.safetensors OUT.safetensors\n";
    return 1;
  }
  const absl::Status status = ip2p::Probe(argv[1], argv[2]);
  if (status.ok()) return 0;
  std::cerr << status << "\n";
  return 1;
}
