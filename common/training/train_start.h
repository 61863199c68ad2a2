// Where a run's weights start: a checkpoint, or fresh ones from configs and a seed. No torch here.
//
// Opening maps files and reads headers; the result is immutable and shared.
#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "common/checkpoint/clip_source.h"
#include "common/checkpoint/model_source.h"
#include "common/training/train_config.h"

namespace ip2p {

// Exactly one of the two.
struct TrainStart {
  ModelSource model;               // of every objective but clip
  std::optional<ClipSource> clip;  // of clip
};

// `path` is anything OpenModel takes; for clip, OpenClip. For instruct-pix2pix a UNet of as many input
// channels as latents have is widened to twice as many, the new ones with zeros; a widened one is taken as it
// is. FAILED_PRECONDITION for other numbers; the errors of OpenModel.
absl::StatusOr<TrainStart> OpenStart(const std::string& path, const TrainConfig& config);

// A folder or s3:// URL with the configs of a model (diffusers' layout) or, for clip, of a CLIP. Networks
// whose weights are missing get fresh ones, drawn from config.seed as torch, diffusers and transformers
// initialise them, but that a text encoder's words differ more and its layers add nothing yet; those that are
// there are taken; of a CLIP in text_encoder/ its text tower. Errors: as OpenModel.
absl::StatusOr<TrainStart> FreshStart(const std::string& named, const TrainConfig& config);

// conv_in of `model` for twice the input channels: zeros for the new ones (Brooks et al., section 3.2).
absl::Status WidenInput(ModelSource& model);

}  // namespace ip2p
