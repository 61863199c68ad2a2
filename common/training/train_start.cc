// See train_start.h.
#include "common/training/train_start.h"

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/checkpoint/clip_vocabulary.h"
#include "common/storage/mapped_file.h"

namespace ip2p {
namespace {

constexpr size_t kMaxConfigBytes = 1 << 20;

}  // namespace

absl::Status KeepClipConfigs(const std::string& folder, TrainStart& start) {
  const std::filesystem::path files = folder;
  IP2P_ASSIGN_OR_RETURN(start.clip_config_json, ReadTextFile((files / "config.json").string(),
                                                             "config.json of the CLIP", kMaxConfigBytes));
  auto preprocessor = ReadTextFile((files / "preprocessor_config.json").string(),
                                   "preprocessor_config.json of the CLIP", kMaxConfigBytes);
  if (preprocessor.ok()) start.clip_preprocessor_json = *std::move(preprocessor);
  return absl::OkStatus();
}

absl::StatusOr<TrainStart> OpenStart(const std::string& path, const TrainConfig& config) {
  TrainStart start;
  if (config.objective == TrainObjective::kClip) {
    IP2P_ASSIGN_OR_RETURN(start.clip, OpenClip(path));
    IP2P_RETURN_IF_ERROR(KeepClipConfigs(path, start));
    return start;
  }
  IP2P_ASSIGN_OR_RETURN(start.model, OpenModel(path));
  // The export needs one; better to hear of it before the first step.
  if (start.model.vocab_json.empty()) IP2P_RETURN_IF_ERROR(FillVocabulary(start.model));
  const ModelConfig& model = start.model.config;
  if (config.objective == TrainObjective::kInstructPix2Pix &&
      model.unet.in_channels == model.vae.latent_channels)
    IP2P_RETURN_IF_ERROR(WidenInput(start.model));
  return start;
}

}  // namespace ip2p
