// `ip2p pairs`: from prompts to image pairs.
#include "services/cli/pairs_commands.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace ip2p {

void AddSamplerFlags(CLI::App& app, SamplerFlags& flags) {
  app.add_option("--ckpt", flags.models.checkpoint,
                 "Text-to-image model: diffusers folder, .safetensors or .ckpt");
  app.add_option("--vae-ckpt", flags.models.vae_checkpoint, "Take the VAE from here instead");
  app.add_option("--clip", flags.models.clip,
                 "Folder of a CLIP in transformers' layout; without it all thresholds must be 0");
  app.add_option("--safety-checker", flags.models.safety_checker,
                 "Folder of diffusers' safety checker; rejects what it flags");
  app.add_option("--device", flags.options.device, "cpu or cuda:N")->capture_default_str();
  app.add_option("--precision", flags.precision, "auto, fp32, bf16 or fp16")->capture_default_str();
  app.add_option("--threads", flags.options.threads, "Threads of a CPU; 0 takes all")->capture_default_str();
  app.add_option(
         "--batch", flags.batch,
         "Samples made together, 1..256 or auto; no picture depends on it, so they share an evaluation "
         "only where that changes no bit")
      ->capture_default_str();
}

void AddThresholdFlags(CLI::App& app, ClipThresholds& thresholds) {
  app.add_option("--clip-threshold", thresholds.clip, "Least cosine of each image and its caption")
      ->capture_default_str();
  app.add_option("--clip-dir-threshold", thresholds.dir,
                 "Least cosine of the images' change and the captions' change")
      ->capture_default_str();
  app.add_option("--clip-img-threshold", thresholds.img, "Least cosine of both images")
      ->capture_default_str();
}

void FinishSamplerFlags(SamplerFlags& flags) {
  const absl::StatusOr<Precision> precision = ParsePrecision(flags.precision);
  if (!precision.ok()) throw CLI::ValidationError(std::string(precision.status().message()));
  flags.options.precision = *precision;
  int& batch = flags.options.batch;
  if (flags.batch != "auto" &&
      (!absl::SimpleAtoi(flags.batch, &batch) || batch < 1 || batch > kMaxPairBatch)) {
    throw CLI::ValidationError(
        absl::StrCat("batch is \"", flags.batch, "\"; wants auto or 1..", kMaxPairBatch));
  }
}

SamplerFactory FactoryOf(const SamplerFlags& flags, const Console& console) {
  return [flags, torch = console.torch] { return torch->create_sampler(flags.models, flags.options); };
}

void AddPairsCommands(CLI::App& app, Console& console, Chosen& chosen) {
  CLI::App* noun = app.add_subcommand("pairs", "Prompts to image pairs");
  noun->require_subcommand(1);
  AddPairsGenerate(*noun, console, chosen);
}

}  // namespace ip2p
