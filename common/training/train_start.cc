// See train_start.h.
#include "common/training/train_start.h"

#include "common/base/status_macros.h"
#include "common/checkpoint/clip_vocabulary.h"

namespace ip2p {
absl::StatusOr<TrainStart> OpenStart(const std::string& path, const TrainConfig& config) {
  TrainStart start;
  if (config.objective == TrainObjective::kClip) {
    IP2P_ASSIGN_OR_RETURN(start.clip, OpenClip(path));
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
