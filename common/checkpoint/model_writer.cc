#include "common/checkpoint/model_writer.h"

#include <filesystem>
#include <map>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "common/base/json.h"
#include "common/base/status_macros.h"
#include "common/checkpoint/compvis_convert.h"
#include "common/checkpoint/config_files.h"
#include "common/checkpoint/expected_tensors.h"
#include "common/checkpoint/one_file.h"
#include "common/checkpoint/safetensors.h"
#include "common/storage/atomic_file.h"

namespace ip2p {
namespace {

namespace fs = std::filesystem;

absl::Status CheckSource(const ModelSource& source) {
  IP2P_RETURN_IF_ERROR(CheckTensors("unet", UNetTensors(source.config.unet), source.unet));
  IP2P_RETURN_IF_ERROR(CheckTensors("vae", VaeTensors(source.config.vae), source.vae));
  return CheckTensors("text_encoder", TextEncoderTensors(source.config.text_encoder), source.text_encoder);
}

// Which classes diffusers makes of the folders.
std::string ModelIndexJson(const ModelConfig& config, const std::string& scheduler_text) {
  using Json = nlohmann::ordered_json;
  const bool edits = config.unet.in_channels == 2 * config.vae.latent_channels;
  const auto scheduler = nlohmann::json::parse(scheduler_text, nullptr, false);
  std::string scheduler_class = "EulerAncestralDiscreteScheduler";
  if (scheduler.is_object() && scheduler.contains("_class_name") && scheduler["_class_name"].is_string()) {
    scheduler_class = scheduler["_class_name"].get<std::string>();
  }
  Json index = {{"_class_name", edits ? "StableDiffusionInstructPix2PixPipeline" : "StableDiffusionPipeline"},
                {"_diffusers_version", "0.42.0"}};
  auto part = [&index](const char* name, const Json& library, const Json& type) {
    index[name] = Json::array({library, type});
  };
  part("feature_extractor", nullptr, nullptr);
  part("image_encoder", nullptr, nullptr);
  index["requires_safety_checker"] = false;
  part("safety_checker", nullptr, nullptr);
  part("scheduler", "diffusers", scheduler_class);
  part("text_encoder", "transformers", "CLIPTextModel");
  part("tokenizer", "transformers", "CLIPTokenizer");
  part("unet", "diffusers", "UNet2DConditionModel");
  part("vae", "diffusers", "AutoencoderKL");
  return index.dump(2) + "\n";
}

}  // namespace

absl::Status SaveDiffusersFolder(const ModelSource& source, const std::string& path) {
  IP2P_RETURN_IF_ERROR(CheckSource(source));
  if (source.vocab_json.empty() || source.merges_txt.empty()) {
    return absl::FailedPreconditionError(
        "the model has no vocabulary of its own; wants vocab.json and merges.txt");
  }
  IP2P_ASSIGN_OR_RETURN(auto files, ConfigFiles(source));
  files["model_index.json"] = ModelIndexJson(source.config, files["scheduler/scheduler_config.json"]);
  files["tokenizer/vocab.json"] = source.vocab_json;
  files["tokenizer/merges.txt"] = source.merges_txt;

  IP2P_ASSIGN_OR_RETURN(AtomicFolder folder, AtomicFolder::Create(path));
  const fs::path root = folder.path();
  for (const char* part : {"unet", "vae", "text_encoder", "tokenizer", "scheduler"}) {
    std::error_code error;
    if (!fs::create_directory(root / part, error)) {
      return absl::UnavailableError(absl::StrCat(part, " cannot be created: ", error.message()));
    }
  }
  for (const auto& [name, text] : files)
    IP2P_RETURN_IF_ERROR(WriteFileAtomically((root / name).string(), text));
  const Metadata metadata = {{"format", "pt"}};
  auto weights = [&](const char* name, const TensorMap& tensors) {
    return WriteSafetensors((root / name).string(), tensors, metadata);
  };
  IP2P_RETURN_IF_ERROR(weights("unet/diffusion_pytorch_model.safetensors", source.unet));
  IP2P_RETURN_IF_ERROR(weights("vae/diffusion_pytorch_model.safetensors", source.vae));
  IP2P_RETURN_IF_ERROR(weights("text_encoder/model.safetensors", source.text_encoder));
  return folder.Publish();
}

absl::Status SaveOneFile(const ModelSource& source, const std::string& path) {
  IP2P_RETURN_IF_ERROR(CheckSource(source));
  IP2P_ASSIGN_OR_RETURN(auto files, ConfigFiles(source));
  if (!source.vocab_json.empty()) {
    files["tokenizer/vocab.json"] = source.vocab_json;
    files["tokenizer/merges.txt"] = source.merges_txt;
  }
  Metadata metadata = {{"format", "pt"}, {kFormatKey, "1"}};
  metadata["modelspec.prediction_type"] =
      source.config.scheduler.prediction == PredictionType::kEpsilon ? "epsilon" : "v";
  for (auto& [name, text] : files) metadata[kFileKeyPrefix + name] = std::move(text);
  return WriteSafetensors(path, ToCompVis(source.config, source.unet, source.vae, source.text_encoder),
                          metadata);
}

}  // namespace ip2p
