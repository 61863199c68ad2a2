// See objective.h.
#include "common/training/objective.h"

#include "common/training/autoencoder_objective.h"
#include "common/training/clip_objective.h"
#include "common/training/diffusion_objective.h"

namespace ip2p {

absl::StatusOr<std::unique_ptr<Objective>> CreateObjective(const TrainConfig& config, const TrainStart& start,
                                                           const ObjectiveOptions& given) {
  ObjectiveOptions options = given;
  options.recompute = config.gradient_checkpointing;
  switch (config.objective) {
    case TrainObjective::kAutoencoder:
      return AutoencoderObjective::Create(start.model, config, options);
    case TrainObjective::kClip:
      if (!start.clip.has_value()) return absl::InvalidArgumentError("the start is no CLIP");
      return ClipObjective::Create(*start.clip, options);
    default:
      return DiffusionObjective::Create(start.model, config, options);
  }
}

}  // namespace ip2p
