// The verbs of `ip2p pairs`, and what they share with `ip2p dataset refilter`: flags of the models.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "absl/status/statusor.h"
#include "common/pipeline/pair_job.h"
#include "services/cli/commands.h"
#include "services/cli/console.h"

namespace ip2p {

void AddPairsGenerate(CLI::App& noun, Console& console, Chosen& chosen);

struct SamplerFlags {
  PairModels models;
  PairSamplerOptions options;
  std::string precision = "auto";
  std::string batch = "auto";
};

// --ckpt, --vae-ckpt, --clip, --safety-checker, --device, --precision, --threads, --batch.
void AddSamplerFlags(CLI::App& app, SamplerFlags& flags);
// --clip-threshold, --clip-dir-threshold, --clip-img-threshold.
void AddThresholdFlags(CLI::App& app, ClipThresholds& thresholds);
// Reads precision and batch. Throws CLI's own errors, as callbacks do.
void FinishSamplerFlags(SamplerFlags& flags);
// Loads with the torch of this program, which must have it.
SamplerFactory FactoryOf(const SamplerFlags& flags, const Console& console);

}  // namespace ip2p
