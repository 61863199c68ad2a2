// `ip2p model`: what a checkpoint is, and the same weights in another layout.
#include <filesystem>
#include <map>
#include <memory>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/checkpoint/clip_source.h"
#include "common/checkpoint/clip_vocabulary.h"
#include "common/checkpoint/clip_writer.h"
#include "common/checkpoint/describe_model.h"
#include "common/checkpoint/finite_check.h"
#include "common/checkpoint/model_source.h"
#include "common/checkpoint/model_writer.h"
#include "common/checkpoint/round_tensors.h"
#include "common/object_store/local_copy.h"
#include "services/cli/commands.h"

namespace ip2p {
namespace {

struct ModelFlags {
  std::string source;
  std::string target;
  std::string to;  // "diffusers", "safetensors"; "": by the target's name
  std::string vae_path;
  std::string prediction;
  std::string precision;  // of the written floats; "": as they are
  bool json = false;
  bool check = false;
};

const std::map<std::string, DType>& WrittenPrecisions() {
  static const std::map<std::string, DType> all = {
      {"fp32", DType::kFloat32}, {"fp16", DType::kFloat16}, {"bf16", DType::kBFloat16}};
  return all;
}

// In the precision that was asked for.
absl::Status Round(const ModelFlags& flags, std::initializer_list<TensorMap*> parts) {
  if (flags.precision.empty()) return absl::OkStatus();
  for (TensorMap* part : parts) {
    IP2P_ASSIGN_OR_RETURN(*part, RoundTensors(*part, WrittenPrecisions().at(flags.precision)));
  }
  return absl::OkStatus();
}

// A CLIP has a config at its top, a pipeline an index.
bool IsClipFolder(const std::string& path) {
  std::error_code error;
  const std::filesystem::path folder(path);
  return std::filesystem::exists(folder / "config.json", error) &&
         !std::filesystem::exists(folder / "model_index.json", error);
}

absl::Status ConvertClip(const ModelFlags& flags, Console& console) {
  if (flags.to == "safetensors" || flags.target.ends_with(".safetensors")) {
    return absl::InvalidArgumentError(
        "the source is a CLIP, which is written as a folder; wants one as the target");
  }
  IP2P_ASSIGN_OR_RETURN(ClipSource source, OpenClip(flags.source));
  IP2P_RETURN_IF_ERROR(Round(flags, {&source.tensors}));
  IP2P_RETURN_IF_ERROR(SaveClipFolder(source, flags.target));
  console.err << "wrote " << flags.target << " (CLIP)\n";
  return absl::OkStatus();
}

absl::StatusOr<ModelSource> Open(const ModelFlags& flags) {
  ModelOpenOptions options;
  options.vae_path = flags.vae_path;
  if (flags.prediction == "epsilon") options.prediction = PredictionType::kEpsilon;
  if (flags.prediction == "v") options.prediction = PredictionType::kVPrediction;
  return OpenModel(flags.source, options);
}

absl::Status Convert(const ModelFlags& flags, Console& console) {
  if (IsObjectUrl(flags.target)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the target is ", flags.target, "; wants a file or folder here, which `ip2p store cp` copies there"));
  }
  IP2P_ASSIGN_OR_RETURN(const std::string local, LocalPath(flags.source));
  if (IsClipFolder(local)) return ConvertClip(flags, console);
  IP2P_ASSIGN_OR_RETURN(ModelSource source, Open(flags));
  IP2P_RETURN_IF_ERROR(Round(flags, {&source.unet, &source.vae, &source.text_encoder}));
  const std::string to = !flags.to.empty()                        ? flags.to
                         : flags.target.ends_with(".safetensors") ? "safetensors"
                                                                  : "diffusers";
  if (to == "diffusers") {
    IP2P_RETURN_IF_ERROR(FillVocabulary(source));
    IP2P_RETURN_IF_ERROR(SaveDiffusersFolder(source, flags.target));
  } else {
    IP2P_RETURN_IF_ERROR(SaveOneFile(source, flags.target));
  }
  console.err << "wrote " << flags.target << " (" << to << " from " << source.layout
              << (source.used_ema ? ", EMA weights)" : ")") << "\n";
  return absl::OkStatus();
}

absl::Status Inspect(const ModelFlags& flags, Console& console) {
  IP2P_ASSIGN_OR_RETURN(const ModelSource source, Open(flags));
  const ModelDescription description = DescribeModel(source);
  console.out << (flags.json ? DescriptionJson(description) + "\n" : DescriptionText(description));
  if (!flags.check) return absl::OkStatus();
  IP2P_RETURN_IF_ERROR(CheckFinite(source));
  console.err << "all weights are finite\n";
  return absl::OkStatus();
}

void AddOpenFlags(CLI::App& app, ModelFlags& flags) {
  app.add_option("--vae-ckpt", flags.vae_path, "Take the VAE from here instead");
  app.add_option("--prediction", flags.prediction, "epsilon or v, for one-file SD 2.x, which does not say")
      ->check(CLI::IsMember({"epsilon", "v"}));
}

}  // namespace

void AddModelCommands(CLI::App& app, Console& console, Chosen& chosen) {
  CLI::App* noun = app.add_subcommand("model", "Look at checkpoints and convert them");
  noun->require_subcommand(1);
  const auto flags = std::make_shared<ModelFlags>();

  CLI::App* convert = noun->add_subcommand("convert", "Write a model in another layout or precision");
  convert->add_option("source", flags->source, "Diffusers folder, .safetensors or .ckpt; or a CLIP's folder")
      ->required();
  convert->add_option("target", flags->target, "A .safetensors file, or a new folder")->required();
  convert->add_option("--to", flags->to, "diffusers or safetensors (default: by the target's name)")
      ->check(CLI::IsMember({"diffusers", "safetensors"}));
  convert
      ->add_option("--precision", flags->precision,
                   "Round the weights: fp32, fp16 or bf16 (default: bit for bit as they are)")
      ->check(CLI::IsMember(WrittenPrecisions()));
  AddOpenFlags(*convert, *flags);
  convert->callback(
      [flags, &console, &chosen] { chosen.run = [flags, &console] { return Convert(*flags, console); }; });

  CLI::App* inspect = noun->add_subcommand("inspect", "Tell what a checkpoint is");
  inspect->add_option("path", flags->source, "Diffusers folder, .safetensors or .ckpt")->required();
  inspect->add_flag("--json", flags->json, "Print it as JSON");
  inspect->add_flag("--check", flags->check, "Read every weight too: NaN and infinity are DATA_LOSS");
  AddOpenFlags(*inspect, *flags);
  inspect->callback(
      [flags, &console, &chosen] { chosen.run = [flags, &console] { return Inspect(*flags, console); }; });

  AddVocabularyCommand(*noun, console, chosen);
}

}  // namespace ip2p
