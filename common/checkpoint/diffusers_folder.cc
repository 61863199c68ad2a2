#include "common/checkpoint/diffusers_folder.h"

#include <array>
#include <filesystem>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/json.h"
#include "common/base/status_macros.h"
#include "common/checkpoint/expected_tensors.h"
#include "common/checkpoint/model_config_json.h"
#include "common/checkpoint/tokenizer_files.h"
#include "common/checkpoint/weight_files.h"
#include "common/storage/mapped_file.h"

namespace ip2p {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxConfigBytes = 1 << 20;
constexpr char kWeights[] = "diffusion_pytorch_model";

absl::StatusOr<std::string> ReadConfig(const std::string& folder, const char* name) {
  return ReadTextFile((fs::path(folder) / name).string(), name, kMaxConfigBytes);
}

// Pipelines with parts that we do not have would open and then compute something else.
absl::Status CheckModelIndex(const std::string& folder) {
  IP2P_ASSIGN_OR_RETURN(const std::string text, ReadConfig(folder, "model_index.json"));
  const auto index = nlohmann::json::parse(text, nullptr, false);
  if (!index.is_object()) return absl::DataLossError("model_index.json is not a JSON object");
  for (const char* part : {"text_encoder_2", "transformer", "prior", "controlnet", "vqvae"}) {
    const auto found = index.find(part);
    if (found == index.end() || !found->is_array() || found->empty() || found->front().is_null()) continue;
    return absl::FailedPreconditionError(
        absl::StrCat("model_index.json names a ", part, "; wants a Stable Diffusion 1.x or 2.x pipeline"));
  }
  return absl::OkStatus();
}

// Before diffusers 0.15 the VAE's attention spoke of query, key, value, proj_attn.
void ModernizeVaeNames(TensorMap& vae) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 4> kRenamed = {{
      {".attentions.0.query.", ".attentions.0.to_q."},
      {".attentions.0.key.", ".attentions.0.to_k."},
      {".attentions.0.value.", ".attentions.0.to_v."},
      {".attentions.0.proj_attn.", ".attentions.0.to_out.0."},
  }};
  TensorMap result;
  for (auto& [name, view] : vae) {
    std::string modern = name;
    for (const auto& [old_part, new_part] : kRenamed) {
      if (const size_t at = modern.find(old_part); at != modern.npos)
        modern.replace(at, old_part.size(), new_part);
    }
    result.emplace(std::move(modern), std::move(view));
  }
  vae = std::move(result);
}

// Published files say text_model.*, files of newer transformers versions do not; position_ids is a counter.
void NormalizeTextNames(TensorMap& text) {
  TensorMap result;
  for (auto& [name, view] : text) {
    if (name == "text_model.embeddings.position_ids" || name == "embeddings.position_ids") continue;
    const bool bare = name.starts_with("embeddings.") || name.starts_with("encoder.") ||
                      name.starts_with("final_layer_norm.");
    result.emplace(bare ? absl::StrCat("text_model.", name) : name, std::move(view));
  }
  text = std::move(result);
}

absl::StatusOr<TensorMap> ReadVaeWeights(const std::string& folder, const std::string& part,
                                         const VaeConfig& config) {
  IP2P_ASSIGN_OR_RETURN(TensorMap tensors, ReadWeights(folder, part, kWeights, kWeights));
  ModernizeVaeNames(tensors);
  IP2P_RETURN_IF_ERROR(CheckTensors("vae", VaeTensors(config), tensors));
  return tensors;
}

}  // namespace

absl::StatusOr<ModelSource> ReadDiffusersConfigs(const std::string& path, bool with_vae) {
  ModelSource source{.layout = "diffusers"};
  const auto config_text = [&](const char* name) -> absl::StatusOr<std::string> {
    IP2P_ASSIGN_OR_RETURN(std::string text, ReadConfig(path, name));
    source.config_files[name] = text;
    return text;
  };
  IP2P_ASSIGN_OR_RETURN(const std::string unet, config_text("unet/config.json"));
  IP2P_ASSIGN_OR_RETURN(source.config.unet, ParseUNetConfig(unet));
  IP2P_ASSIGN_OR_RETURN(const std::string text, config_text("text_encoder/config.json"));
  IP2P_ASSIGN_OR_RETURN(source.config.text_encoder, ParseTextEncoderConfig(text));
  IP2P_ASSIGN_OR_RETURN(const std::string scheduler, config_text("scheduler/scheduler_config.json"));
  IP2P_ASSIGN_OR_RETURN(source.config.scheduler, ParseSchedulerConfig(scheduler));
  if (with_vae) {
    IP2P_ASSIGN_OR_RETURN(const std::string vae, config_text("vae/config.json"));
    IP2P_ASSIGN_OR_RETURN(source.config.vae, ParseVaeConfig(vae));
  }
  IP2P_ASSIGN_OR_RETURN(TokenizerFiles tokenizer, ReadTokenizerFolder(path));
  GiveTokenizer(tokenizer, source.config.text_encoder, source);
  source.config_files.merge(tokenizer.configs);
  return source;
}

absl::StatusOr<ModelSource> OpenDiffusersFolder(const std::string& path, bool with_vae) {
  IP2P_RETURN_IF_ERROR(CheckModelIndex(path));
  IP2P_ASSIGN_OR_RETURN(ModelSource source, ReadDiffusersConfigs(path, with_vae));
  IP2P_ASSIGN_OR_RETURN(source.unet, ReadWeights(path, "unet", kWeights, kWeights));
  IP2P_RETURN_IF_ERROR(CheckTensors("unet", UNetTensors(source.config.unet), source.unet));
  IP2P_ASSIGN_OR_RETURN(source.text_encoder, ReadWeights(path, "text_encoder", "model", "pytorch_model"));
  NormalizeTextNames(source.text_encoder);
  IP2P_RETURN_IF_ERROR(
      CheckTensors("text_encoder", TextEncoderTensors(source.config.text_encoder), source.text_encoder));
  if (with_vae) {
    IP2P_ASSIGN_OR_RETURN(source.vae, ReadVaeWeights(path, "vae", source.config.vae));
  }
  return source;
}

absl::StatusOr<std::pair<VaeConfig, TensorMap>> OpenVaeFolder(const std::string& path) {
  IP2P_ASSIGN_OR_RETURN(const std::string text, ReadTextFile((fs::path(path) / "config.json").string(),
                                                             "the VAE's config.json", kMaxConfigBytes));
  IP2P_ASSIGN_OR_RETURN(VaeConfig config, ParseVaeConfig(text));
  IP2P_ASSIGN_OR_RETURN(TensorMap tensors, ReadVaeWeights(path, ".", config));
  return std::pair(std::move(config), std::move(tensors));
}

}  // namespace ip2p
