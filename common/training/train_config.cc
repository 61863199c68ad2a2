// See train_config.h.
#include "common/training/train_config.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/field_faults.h"
#include "common/base/sha256.h"

namespace ip2p {
namespace {

constexpr int64_t kMostSteps = 100'000'000;
constexpr int kMostInGroup = 4096;
constexpr double kMostLatentNoise = 10;
constexpr double kLeastFitGuidance = 0.1, kMostFitGuidance = 20;
constexpr int kResolutionStep = 64;
constexpr int kLargestResize = 2048;

void CheckShares(const TrainConfig& c, FieldFaults& faults) {
  faults.Number("drop_image", c.drop_image, 0, 1);
  faults.Number("drop_text", c.drop_text, 0, 1);
  faults.Number("drop_both", c.drop_both, 0, 1);
  const double sum = c.drop_image + c.drop_text + c.drop_both;
  if (std::isfinite(sum) && sum > 1)
    faults.Add(absl::StrFormat("drop_image, drop_text and drop_both sum to %g; wants at most 1", sum));
  faults.Number("fit_guidance", c.fit_guidance, kLeastFitGuidance, kMostFitGuidance);
  const bool both = c.objective == TrainObjective::kInstructPix2Pix && c.drop_both > 0;
  if (c.fit_guidance != 1 && c.drop_text == 0 && !both)
    faults.Add(absl::StrFormat("fit_guidance is %g; wants 1 where no sample goes without its text: drop_text",
                               c.fit_guidance));
}

void CheckPictures(const TrainConfig& c, FieldFaults& faults) {
  faults.Whole("resolution", c.resolution, 64, 1024);
  if (c.resolution % kResolutionStep != 0)
    faults.Add(absl::StrFormat("resolution is %d; wants a multiple of %d", c.resolution, kResolutionStep));
  faults.Whole("min_resize", MinResize(c), c.resolution, kLargestResize);
  faults.Whole("max_resize", MaxResize(c), MinResize(c), kLargestResize);
  if (c.cache_latents && (MinResize(c) != c.resolution || MaxResize(c) != c.resolution))
    faults.Add("cache_latents is true; wants false where crops are random: min_resize or max_resize");
}

// What the objective cannot do.
void CheckObjective(const TrainConfig& c, int64_t parts, FieldFaults& faults) {
  const char* name = ObjectiveName(c.objective);
  const bool diffusion =
      c.objective == TrainObjective::kInstructPix2Pix || c.objective == TrainObjective::kTextToImage;
  if (!diffusion) {
    if (c.min_snr_gamma != 0)
      faults.Add(absl::StrFormat("min_snr_gamma is %g; wants 0 for %s", c.min_snr_gamma, name));
    if (c.fit_guidance != 1)
      faults.Add(absl::StrFormat("fit_guidance is %g; wants 1 for %s", c.fit_guidance, name));
    if (c.train_text_encoder) faults.Add(absl::StrCat("train_text_encoder is true; wants false for ", name));
    if (c.cache_latents) faults.Add(absl::StrCat("cache_latents is true; wants false for ", name));
  }
  if (c.decoder_only && c.objective != TrainObjective::kAutoencoder)
    faults.Add(absl::StrCat("decoder_only is true; wants false for ", name));
  faults.Number("latent_noise", c.latent_noise, 0, kMostLatentNoise);
  if (c.latent_noise > 0 && !c.decoder_only)
    faults.Add(absl::StrFormat("latent_noise is %g; wants 0 without decoder_only", c.latent_noise));
  if (c.objective == TrainObjective::kClip && parts > 0 && c.batch_size > 0 && c.batch_size < 2 * parts)
    faults.Add(absl::StrFormat(
        "batch_size is %d; wants at least %d for %s: a picture is told from others of its part of the batch",
        c.batch_size, 2 * parts, name));
}

void CheckOptimizer(const TrainConfig& c, FieldFaults& faults) {
  if (!(c.learning_rate > 0 && c.learning_rate <= 1))
    faults.Add(absl::StrFormat("learning_rate is %g; wants over 0 and at most 1", c.learning_rate));
  faults.Whole("warmup_steps", c.warmup_steps, 0, c.max_steps);
  faults.Number("weight_decay", c.weight_decay, 0, 1);
  const auto rate = [&](const char* name, double value) {
    if (!(value >= 0 && value < 1)) faults.Add(absl::StrFormat("%s is %g; wants 0 to under 1", name, value));
  };
  rate("adam_beta1", c.adam_beta1);
  rate("adam_beta2", c.adam_beta2);
  rate("ema_decay", c.ema_decay);
  if (!(c.adam_epsilon > 0 && std::isfinite(c.adam_epsilon)))
    faults.Add(absl::StrFormat("adam_epsilon is %g; wants a finite number over 0", c.adam_epsilon));
  if (!(c.max_grad_norm >= 0 && std::isfinite(c.max_grad_norm)))
    faults.Add(absl::StrFormat("max_grad_norm is %g; wants a finite number from 0", c.max_grad_norm));
  if (!(c.min_snr_gamma >= 0 && std::isfinite(c.min_snr_gamma)))
    faults.Add(absl::StrFormat("min_snr_gamma is %g; wants a finite number from 0", c.min_snr_gamma));
}

}  // namespace

const char* ObjectiveName(TrainObjective objective) {
  switch (objective) {
    case TrainObjective::kInstructPix2Pix:
      return "instruct-pix2pix";
    case TrainObjective::kTextToImage:
      return "text-to-image";
    case TrainObjective::kAutoencoder:
      return "autoencoder";
    case TrainObjective::kClip:
      return "clip";
  }
  return "unknown";
}

const char* LrScheduleName(LrSchedule schedule) {
  return schedule == LrSchedule::kCosine ? "cosine" : "constant";
}

const char* OptimizerName(TrainOptimizer optimizer) {
  return optimizer == TrainOptimizer::kAdamW8Bit ? "adamw-8bit" : "adamw";
}

int MinResize(const TrainConfig& c) { return c.min_resize > 0 ? c.min_resize : c.resolution; }
int MaxResize(const TrainConfig& c) { return c.max_resize > 0 ? c.max_resize : MinResize(c); }

absl::Status ValidateTrainConfig(const TrainConfig& c, int world_size) {
  FieldFaults faults;
  faults.Whole("world_size", world_size, 1, 1024);
  faults.Whole("max_steps", c.max_steps, 1, kMostSteps);
  faults.Whole("batch_size", c.batch_size, 1, 65536);
  faults.Whole("accumulation", c.accumulation, 1, 1024);
  const int64_t parts = int64_t{c.accumulation} * world_size;
  if (parts > 0 && c.batch_size > 0 && c.batch_size % parts != 0)
    faults.Add(absl::StrFormat("batch_size is %d; wants a multiple of accumulation times ranks, %d",
                               c.batch_size, parts));
  faults.Whole("group_size", c.group_size, 1, kMostInGroup);
  CheckOptimizer(c, faults);
  CheckShares(c, faults);
  CheckPictures(c, faults);
  CheckObjective(c, parts, faults);
  if (c.precision == Precision::kFloat16) faults.Add("precision is fp16; wants auto, fp32 or bf16");
  faults.Whole("checkpoint_every", c.checkpoint_every, 1, kMostSteps);
  faults.Whole("keep_checkpoints", c.keep_checkpoints, 1, 1000);
  faults.Whole("validate_every", c.validate_every, 0, kMostSteps);
  faults.Whole("validation_samples", c.validation_samples, 1, 256);
  return faults.status();
}

std::string TrainConfigDigest(const TrainConfig& c) {
  std::string text = absl::StrFormat(
      "objective=%s batch=%d lr=%.17g schedule=%s warmup=%d decay=%.17g beta1=%.17g beta2=%.17g eps=%.17g "
      "clip=%.17g ema=%.17g drop=%.17g,%.17g,%.17g resolution=%d flip=%d seed=%d text_encoder=%d",
      ObjectiveName(c.objective), c.batch_size, c.learning_rate, LrScheduleName(c.lr_schedule),
      c.warmup_steps, c.weight_decay, c.adam_beta1, c.adam_beta2, c.adam_epsilon, c.max_grad_norm,
      c.ema_decay, c.drop_image, c.drop_text, c.drop_both, c.resolution, c.random_flip, c.seed,
      c.train_text_encoder);
  if (c.lr_schedule == LrSchedule::kCosine) absl::StrAppend(&text, " max_steps=", c.max_steps);
  // Said where they are not the default, so that runs from before there was a choice go on.
  if (MinResize(c) != c.resolution || MaxResize(c) != c.resolution)
    absl::StrAppend(&text, " resize=", MinResize(c), "..", MaxResize(c));
  if (c.optimizer != TrainOptimizer::kAdamW)
    absl::StrAppend(&text, " optimizer=", OptimizerName(c.optimizer));
  if (c.precision == Precision::kFloat32) absl::StrAppend(&text, " precision=fp32");
  if (c.precision == Precision::kBFloat16) absl::StrAppend(&text, " precision=bf16");
  if (c.min_snr_gamma > 0) absl::StrAppendFormat(&text, " min_snr_gamma=%.17g", c.min_snr_gamma);
  if (c.fit_guidance != 1) absl::StrAppendFormat(&text, " fit_guidance=%.17g", c.fit_guidance);
  if (c.group_size > 1) absl::StrAppend(&text, " group=", c.group_size);
  if (c.decoder_only) absl::StrAppendFormat(&text, " decoder_only noise=%.17g", c.latent_noise);
  // CLIP's pictures are told apart within a part of the batch.
  if (c.objective == TrainObjective::kClip && c.accumulation > 1)
    absl::StrAppend(&text, " accumulation=", c.accumulation);
  return Sha256Hex(text);
}

}  // namespace ip2p
