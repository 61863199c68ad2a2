#include "services/cli/model_flags.h"

#include "common/base/status_macros.h"
#include "services/cli/word_check.h"

namespace ip2p {

CLI::Option* AddModelFlags(CLI::App& app, ModelFlags& flags, const char* group) {
  CLI::Option* ckpt =
      app.add_option("--ckpt", flags.model.path, "Model: diffusers folder, .safetensors or .ckpt")
          ->group(group);
  app.add_option("--vae-ckpt", flags.model.open.vae_path, "Take the VAE from here instead")->group(group);
  app.add_option("--precision", flags.precision, "auto, fp32, bf16 or fp16")
      ->check(ParsesAs(ParsePrecision))
      ->capture_default_str()
      ->group(group);
  app.add_option("--prediction", flags.prediction, "epsilon or v, for one-file SD 2.x, which does not say")
      ->check(CLI::IsMember({"epsilon", "v"}))
      ->group(group);
  app.add_option("--device", flags.model.engine.device, "cpu or cuda:N")->capture_default_str()->group(group);
  app.add_option("--threads", flags.model.engine.threads, "Threads of a CPU; 0 takes all")
      ->check(CLI::Range(0, 4096))
      ->capture_default_str()
      ->group(group);
  return ckpt;
}

absl::Status FinishModelFlags(ModelFlags& flags) {
  IP2P_ASSIGN_OR_RETURN(flags.model.engine.precision, ParsePrecision(flags.precision));
  if (flags.prediction == "epsilon") flags.model.open.prediction = PredictionType::kEpsilon;
  if (flags.prediction == "v") flags.model.open.prediction = PredictionType::kVPrediction;
  return absl::OkStatus();
}

}  // namespace ip2p
