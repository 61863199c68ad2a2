// What a training run is asked to do: the fields of the proto's TrainParams, without protobuf and torch.
// Defaults are the reference's.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "common/diffusion/kinds.h"

namespace ip2p {

enum class TrainObjective { kInstructPix2Pix, kTextToImage, kAutoencoder, kClip };
enum class LrSchedule { kConstant, kCosine };
enum class TrainOptimizer { kAdamW, kAdamW8Bit };  // the second keeps its moments in 8 bits (moments8.h)

struct TrainConfig {
  TrainObjective objective = TrainObjective::kInstructPix2Pix;
  int64_t max_steps = 10000;
  int batch_size = 32;   // samples a step, over all ranks and accumulation
  int accumulation = 1;  // forward passes a step is split into
  TrainOptimizer optimizer = TrainOptimizer::kAdamW;
  double learning_rate = 1e-4;
  LrSchedule lr_schedule = LrSchedule::kConstant;
  int64_t warmup_steps = 0;
  double weight_decay = 0.01;
  double adam_beta1 = 0.9;
  double adam_beta2 = 0.999;
  double adam_epsilon = 1e-8;
  double max_grad_norm = 0;   // 0: no clipping
  double ema_decay = 0.9999;  // 0: none
  double drop_image = 0.05;   // instruct-pix2pix only
  double drop_text = 0.05;    // 0.1 for text-to-image: whoever fills the struct knows the objective
  double drop_both = 0.05;    // instruct-pix2pix only
  double min_snr_gamma = 0;   // of the two that denoise: the loss's weights, see LossOf; 0: equal ones
  double fit_guidance = 1;    // of the two that denoise: the text guidance that fits, see TargetOfGuidance
  int group_size = 1;         // examples that stay together in the order, see PlaceAt
  int resolution = 256;       // side in px
  int min_resize = 0;  // pictures are resized to a side drawn from min_resize..max_resize, then cropped
  int max_resize = 0;  // to the resolution at random; 0: to the resolution, nothing is cropped
  bool random_flip = true;
  uint64_t seed = 0;
  Precision precision = Precision::kAuto;
  bool gradient_checkpointing = false;
  bool cache_latents = false;
  bool train_text_encoder = false;  // of the two that denoise
  bool decoder_only = false;        // autoencoder only: latents mean what they did
  double latent_noise = 0;          // with decoder_only: most noise in them, in spreads of theirs
  int64_t checkpoint_every = 1000;
  int keep_checkpoints = 3;
  int64_t validate_every = 0;  // 0: none
  int validation_samples = 8;

  bool operator==(const TrainConfig&) const = default;
};

const char* ObjectiveName(TrainObjective objective);  // "instruct-pix2pix", "text-to-image", ...
const char* LrScheduleName(LrSchedule schedule);
const char* OptimizerName(TrainOptimizer optimizer);  // "adamw", "adamw-8bit"

// The two ends of the side before cropping, 0 filled in.
int MinResize(const TrainConfig& config);
int MaxResize(const TrainConfig& config);

// All faults listed together, each as "field is found; wants wanted". INVALID_ARGUMENT.
absl::Status ValidateTrainConfig(const TrainConfig& config, int world_size);

// SHA-256 over every field that decides which weights a run ends with: what a checkpoint may be resumed by.
// What only says how long, how often or how fast (checkpoints, validation, gradient checkpointing) may
// change between two starts; max_steps too, unless the schedule follows it.
std::string TrainConfigDigest(const TrainConfig& config);

}  // namespace ip2p
