#include "common/checkpoint/one_file.h"

#include <tuple>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/status_macros.h"
#include "common/checkpoint/ckpt.h"
#include "common/checkpoint/compvis_convert.h"
#include "common/checkpoint/compvis_names.h"
#include "common/checkpoint/derive_architecture.h"
#include "common/checkpoint/expected_tensors.h"
#include "common/checkpoint/model_config_json.h"
#include "common/checkpoint/text_quote.h"
#include "common/checkpoint/tokenizer_files.h"
#include "common/storage/mapped_file.h"

namespace ip2p {
namespace {

// The parts of a checkpoint, names relative to their prefix.
struct Parts {
  TensorMap unet, ema, vae, clip, open_clip;
  std::vector<std::string> unknown;
};

bool TakePrefixed(const std::string& name, const TensorView& view, const char* prefix, TensorMap& part) {
  if (!name.starts_with(prefix)) return false;
  part.emplace(name.substr(std::char_traits<char>::length(prefix)), view);
  return true;
}

Parts Split(const TensorMap& tensors) {
  Parts parts;
  for (const auto& [name, view] : tensors) {
    if (IsIgnorable(name)) continue;
    if (name.starts_with(kEmaPrefix)) {
      parts.ema.emplace(name, view);
    } else if (!TakePrefixed(name, view, kUNetPrefix, parts.unet) &&
               !TakePrefixed(name, view, kVaePrefix, parts.vae) &&
               !TakePrefixed(name, view, kClipPrefix, parts.clip) &&
               !TakePrefixed(name, view, kOpenClipPrefix, parts.open_clip)) {
      parts.unknown.push_back(Quoted(name));
    }
  }
  return parts;
}

std::string FirstTen(const std::vector<std::string>& names) {
  const size_t shown = std::min<size_t>(names.size(), 10);
  std::string text = absl::StrJoin(names.begin(), names.begin() + static_cast<ptrdiff_t>(shown), ", ");
  if (names.size() > shown) absl::StrAppend(&text, ", and ", names.size() - shown, " more");
  return text;
}

// Replaces the UNet's weights by their moving averages. True when it did.
absl::StatusOr<bool> UseEma(TensorMap& unet, TensorMap ema) {
  if (ema.empty()) return false;
  std::vector<std::string> missing;
  TensorMap averaged;
  for (const auto& [name, view] : unet) {
    const auto found = ema.extract(EmaName(name));
    if (found.empty()) {
      missing.push_back(name);
    } else {
      averaged.emplace(name, std::move(found.mapped()));
    }
  }
  if (!missing.empty()) {
    return absl::FailedPreconditionError(absl::StrCat(
        "the EMA weights are incomplete; wants all or none of them: ", FirstTen(missing), " have none"));
  }
  if (!ema.empty()) {
    std::vector<std::string> extra;
    for (const auto& [name, view] : ema) extra.push_back(Quoted(name));
    return absl::FailedPreconditionError(
        absl::StrCat("EMA weights belong to no tensor of the UNet: ", FirstTen(extra)));
  }
  unet = std::move(averaged);
  return true;
}

// Before transformers 4.11 the tower's names had no "text_model.".
TensorMap WithTextModelPrefix(TensorMap clip) {
  TensorMap result;
  for (auto& [name, view] : clip) {
    result.emplace(name.starts_with("text_model.") ? name : absl::StrCat("text_model.", name),
                   std::move(view));
  }
  return result;
}

// global_step of published SD 2.x checkpoints, which tell the families apart (the original conversion script
// of diffusers uses the same numbers).
std::optional<PredictionType> PredictionOfStep(const std::optional<int64_t>& step) {
  if (step == 875000) return PredictionType::kEpsilon;      // 512-base-ema
  if (step == 110000) return PredictionType::kVPrediction;  // v2-1_768
  return std::nullopt;
}

absl::StatusOr<PredictionType> DerivePrediction(const OneFile& file, const ModelOpenOptions& options,
                                                bool sd2) {
  if (options.prediction.has_value()) return *options.prediction;
  const auto spec = file.metadata.find("modelspec.prediction_type");
  if (spec != file.metadata.end()) {
    if (spec->second == "v" || spec->second == "v_prediction") return PredictionType::kVPrediction;
    if (spec->second == "epsilon") return PredictionType::kEpsilon;
  }
  if (!sd2) return PredictionType::kEpsilon;
  if (const auto known = PredictionOfStep(file.global_step)) return *known;
  return absl::FailedPreconditionError(
      "the checkpoint is a Stable Diffusion 2.x and does not say what it predicts; "
      "wants --prediction epsilon or --prediction v");
}

// Config files of our own one-file checkpoints; nothing in foreign ones.
std::map<std::string, std::string> EmbeddedFiles(const Metadata& metadata) {
  std::map<std::string, std::string> files;
  if (!metadata.contains(kFormatKey)) return files;
  for (const auto& [key, text] : metadata) {
    if (key.starts_with(kFileKeyPrefix)) files[key.substr(sizeof(kFileKeyPrefix) - 1)] = text;
  }
  return files;
}

absl::StatusOr<std::string> EmbeddedFile(const std::map<std::string, std::string>& files, const char* name) {
  const auto found = files.find(name);
  if (found == files.end()) return absl::DataLossError(absl::StrCat("the metadata lacks ", name));
  return found->second;
}

absl::Status CheckFormat(const Metadata& metadata) {
  const auto format = metadata.find(kFormatKey);
  if (format == metadata.end() || format->second == "1") return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat(kFormatKey, " is ", Quoted(format->second), "; wants 1: a newer program wrote this file"));
}

// Everything that the embedded files say, for a file of our own.
absl::Status TakeEmbedded(std::map<std::string, std::string> files, ModelSource& source) {
  IP2P_ASSIGN_OR_RETURN(const std::string unet, EmbeddedFile(files, "unet/config.json"));
  IP2P_ASSIGN_OR_RETURN(source.config.unet, ParseUNetConfig(unet));
  IP2P_ASSIGN_OR_RETURN(const std::string vae, EmbeddedFile(files, "vae/config.json"));
  IP2P_ASSIGN_OR_RETURN(source.config.vae, ParseVaeConfig(vae));
  IP2P_ASSIGN_OR_RETURN(const std::string text, EmbeddedFile(files, "text_encoder/config.json"));
  IP2P_ASSIGN_OR_RETURN(source.config.text_encoder, ParseTextEncoderConfig(text));
  IP2P_ASSIGN_OR_RETURN(const std::string scheduler, EmbeddedFile(files, "scheduler/scheduler_config.json"));
  IP2P_ASSIGN_OR_RETURN(source.config.scheduler, ParseSchedulerConfig(scheduler));
  TokenizerFiles tokenizer;
  if (auto vocab = files.extract("tokenizer/vocab.json")) tokenizer.vocab_json = std::move(vocab.mapped());
  if (auto merges = files.extract("tokenizer/merges.txt")) tokenizer.merges_txt = std::move(merges.mapped());
  tokenizer.configs = files;
  IP2P_RETURN_IF_ERROR(FindSpecialTokens(tokenizer));
  GiveTokenizer(tokenizer, source.config.text_encoder, source);
  source.config_files = std::move(files);
  return absl::OkStatus();
}

absl::Status DeriveAll(const OneFile& file, const ModelOpenOptions& options, const Parts& parts,
                       bool with_vae, ModelConfig& config) {
  IP2P_ASSIGN_OR_RETURN(config.unet, DeriveUNet(parts.unet));
  if (parts.open_clip.empty()) {
    IP2P_ASSIGN_OR_RETURN(config.text_encoder, DeriveClip(parts.clip));
  } else {
    IP2P_ASSIGN_OR_RETURN(config.text_encoder, DeriveOpenClip(parts.open_clip));
  }
  if (with_vae) {
    IP2P_ASSIGN_OR_RETURN(config.vae, DeriveVae(parts.vae));
  }
  const bool sd2 = config.unet.use_linear_projection || !parts.open_clip.empty();
  IP2P_ASSIGN_OR_RETURN(config.scheduler.prediction, DerivePrediction(file, options, sd2));
  // The v models were trained on 768 pixels, all others on 512.
  if (sd2 && config.scheduler.prediction == PredictionType::kVPrediction) {
    config.unet.sample_size = 96;
    config.vae.sample_size = 768;
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<OneFile> ReadOneFile(const std::string& path, const std::string& name) {
  std::string start;
  {
    IP2P_ASSIGN_OR_RETURN(std::shared_ptr<const MappedFile> file, MappedFile::Open(path, name));
    const std::span<const std::byte> bytes = file->bytes().first(std::min<size_t>(file->bytes().size(), 9));
    start.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
  OneFile result;
  const bool braces = start.size() == 9 && start[8] == '{';
  if (braces || (path.ends_with(".safetensors") && !start.starts_with("PK"))) {
    IP2P_ASSIGN_OR_RETURN(SafetensorsFile file, ReadSafetensors(path, name));
    result.tensors = std::move(file.tensors);
    result.metadata = std::move(file.metadata);
    result.layout = "safetensors";
    return result;
  }
  IP2P_ASSIGN_OR_RETURN(TorchFile file, ReadTorchFile(path, name));
  result.tensors = std::move(file.tensors);
  result.global_step = file.global_step;
  result.layout = "ckpt";
  return result;
}

absl::StatusOr<ModelSource> OpenOneFile(OneFile file, const ModelOpenOptions& options, bool with_vae) {
  IP2P_RETURN_IF_ERROR(CheckFormat(file.metadata));
  Parts parts = Split(file.tensors);
  if (!parts.unknown.empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat("the checkpoint has tensors that are unexpected: ", FirstTen(parts.unknown),
                     "; wants Stable Diffusion 1.x or 2.x"));
  }
  if (parts.clip.empty() == parts.open_clip.empty()) {
    return absl::FailedPreconditionError(parts.clip.empty()
                                             ? "the checkpoint has no text encoder; wants one"
                                             : "the checkpoint has two text encoders; wants one");
  }
  ModelSource source;
  source.layout = file.layout;
  IP2P_ASSIGN_OR_RETURN(source.used_ema, UseEma(parts.unet, std::move(parts.ema)));
  parts.clip = WithTextModelPrefix(std::move(parts.clip));
  std::map<std::string, std::string> embedded = EmbeddedFiles(file.metadata);
  if (embedded.empty()) {
    IP2P_RETURN_IF_ERROR(DeriveAll(file, options, parts, with_vae, source.config));
  } else {
    IP2P_RETURN_IF_ERROR(TakeEmbedded(std::move(embedded), source));
  }
  source.unet = UNetToDiffusers(parts.unet, source.config.unet);
  IP2P_RETURN_IF_ERROR(CheckTensors("unet", UNetTensors(source.config.unet), source.unet));
  source.text_encoder = parts.open_clip.empty()
                            ? std::move(parts.clip)
                            : OpenClipToDiffusers(parts.open_clip, source.config.text_encoder);
  IP2P_RETURN_IF_ERROR(
      CheckTensors("text_encoder", TextEncoderTensors(source.config.text_encoder), source.text_encoder));
  if (with_vae) {
    source.vae = VaeToDiffusers(parts.vae, source.config.vae);
    IP2P_RETURN_IF_ERROR(CheckTensors("vae", VaeTensors(source.config.vae), source.vae));
  }
  return source;
}

absl::StatusOr<std::pair<VaeConfig, TensorMap>> VaeOfOneFile(OneFile file) {
  IP2P_RETURN_IF_ERROR(CheckFormat(file.metadata));
  TensorMap vae = Split(file.tensors).vae;
  if (vae.empty()) {
    for (const auto& [name, view] : file.tensors) {
      // A VAE's own training file has its discriminator and averages beside it.
      if (!name.starts_with("loss.") && !name.starts_with(kEmaPrefix)) vae.emplace(name, view);
    }
  }
  VaeConfig config;
  const std::map<std::string, std::string> embedded = EmbeddedFiles(file.metadata);
  if (embedded.empty()) {
    IP2P_ASSIGN_OR_RETURN(config, DeriveVae(vae));
  } else {
    IP2P_ASSIGN_OR_RETURN(const std::string text, EmbeddedFile(embedded, "vae/config.json"));
    IP2P_ASSIGN_OR_RETURN(config, ParseVaeConfig(text));
  }
  TensorMap tensors = VaeToDiffusers(vae, config);
  IP2P_RETURN_IF_ERROR(CheckTensors("vae", VaeTensors(config), tensors));
  return std::pair(config, std::move(tensors));
}

}  // namespace ip2p
