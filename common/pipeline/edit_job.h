// One admitted edit: its prepared photo, texts, guidance branches and the outputs that are still to be made.
// Lives on the engine's thread after Prepare.
#pragma once

#include <torch/types.h>

#include <memory>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/diffusion/guidance.h"
#include "common/diffusion/noise_schedule.h"
#include "common/diffusion/relevance_map.h"
#include "common/diffusion/sampler.h"
#include "common/model/stable_diffusion.h"
#include "common/pipeline/edit_engine.h"
#include "common/pipeline/latent_preview.h"
#include "common/pipeline/masked_edit.h"

namespace ip2p {

// What Submit fixes, on the caller's thread: sizes and pixels, before any torch work.
struct EditOrder {
  EditEngine::EditId id = 0;
  EditParams params;
  Image photo;  // at the size that is denoised
  DenoisedSize size;
  absl::Time deadline = absl::InfiniteFuture();
  EditCallbacks callbacks;

  int latent_pixels(int downscale) const { return (photo.width / downscale) * (photo.height / downscale); }
};

// INVALID_ARGUMENT when the params are out of range or the fitted photo would have over 2048 * 2048 pixels.
absl::StatusOr<EditOrder> MakeOrder(EditEngine::EditId id, const Image& input, EditParams params,
                                    absl::Time deadline, EditCallbacks callbacks);

struct EditJob {
  EditOrder order;
  torch::Tensor image_latents;  // [1,C,h,w] float32, the mode of the posterior, unscaled
  torch::Tensor photo_latents;  // the same, scaled as what is denoised; of masked edits and for previews
  torch::Tensor mask;           // [1,1,h,w] bool, where it may change; undefined without a given mask
  torch::Tensor texts;          // [2,77,D]: the instruction, the negative prompt
  std::vector<GuidanceBranch> branches;
  std::optional<LatentPreview> preview;
  EditResult result;
  absl::Duration fixed_time;  // spent outside denoising
  int started_outputs = 0;
  int finished_outputs = 0;
};

// One output of a job in the denoising batch.
struct DenoiseItem {
  uint64_t serial = 0;  // unique for the engine's life: the batch's cached texts are keyed by it
  std::shared_ptr<EditJob> job;
  int output = 0;
  std::unique_ptr<Sampler> sampler;
  torch::Tensor mask;  // the job's, or this output's own once it is found; undefined: everything may change
  RelevanceMap relevance;  // what auto_mask finds it by
};

// Tokenizes, encodes text and photo. Errors: INTERNAL, RESOURCE_EXHAUSTED.
absl::StatusOr<std::shared_ptr<EditJob>> PrepareJob(const StableDiffusion& model, EditOrder order,
                                                    EngineObserver& observer);
// The sampler of the job's next output, with its own noise.
absl::StatusOr<DenoiseItem> StartOutput(const StableDiffusion& model, const NoiseSchedule& schedule,
                                        std::shared_ptr<EditJob> job, uint64_t serial);
// Latents of a finished item to its picture, into job.result. INTERNAL when they hold NaN.
absl::Status FinishOutput(const StableDiffusion& model, const DenoiseItem& item, EngineObserver& observer);

}  // namespace ip2p
