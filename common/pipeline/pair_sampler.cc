// Loads the models and turns seeds into scored pairs. See pair_sampler.h.
#include "common/pipeline/pair_sampler.h"

#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_format.h"
#include "common/base/status_macros.h"
#include "common/image/fit.h"
#include "common/model/fingerprint.h"
#include "common/model/process_memory.h"
#include "common/model/weights.h"
#include "common/pipeline/catch_torch.h"
#include "common/pipeline/changed_region.h"
#include "common/pipeline/clip_scorer.h"
#include "common/pipeline/image_tensor.h"
#include "common/pipeline/pair_denoiser.h"
#include "common/pipeline/pair_picture.h"
#include "common/pipeline/safety_check.h"
#include "common/pipeline/torch_options.h"

namespace ip2p {
namespace {

// A pair of four rows of this many latent pixels keeps a CPU busy; smaller ones are joined. More than eight
// gain nothing there, and one waits longer for a cancelled batch.
constexpr int kAutoLatentPixels = 512, kMostAutoPairs = 8;

// What is made once a prompt.
struct PreparedPrompt {
  PairPrompt prompt;
  int resolution = 0;
  torch::Tensor texts;  // [3,77,D]: the empty text, that of the photo's image or of the first, the other's
  PairPhoto photo;
  Image fitted;                 // the photo at the resolution, when there is one
  torch::Tensor photo_picture;  // the same, [3,H,W] float32 in 0..1; else undefined
  torch::Tensor clip_features;  // [2,d] of the two captions; undefined until they are asked for
};

bool IsAfter(const PairPrompt& prompt) {
  return !prompt.photo.pixels.empty() && prompt.photo_side == PhotoSide::kAfter;
}

class TorchPairSampler final : public PairSampler {
 public:
  explicit TorchPairSampler(const PairSamplerOptions& options) : options_(options) {}

  absl::Status Load(const PairModels& models) {
    const torch::NoGradGuard no_grad;
    UseThreads();
    IP2P_ASSIGN_OR_RETURN(const torch::Device device, ParseDevice(options_.device));
    precision_ = ChoosePrecision(options_.precision, device);
    HoldPrecision(precision_, device);
    IP2P_ASSIGN_OR_RETURN(source_, OpenModel(models.checkpoint, {.vae_path = models.vae_checkpoint}));
    const int channels = source_.config.unet.in_channels, latents = source_.config.vae.latent_channels;
    if (channels != latents) {
      return absl::InvalidArgumentError(
          absl::StrFormat("the checkpoint's UNet takes %d channels; wants %d, as a text-to-image model has%s",
                          channels, latents, channels == 2 * latents ? ", not an edit model" : ""));
    }
    auto loaded = CatchTorch("loading the model", [&] {
      return LoadStableDiffusion(source_, {.device = device, .dtype = DtypeOf(precision_)});
    });
    IP2P_RETURN_IF_ERROR(loaded.status());
    model_ = *std::move(loaded);
    schedule_ = std::make_unique<NoiseSchedule>(source_.config.scheduler);
    IP2P_RETURN_IF_ERROR(ValidateNoiseSchedule(source_.config.scheduler));
    if (!models.clip.empty()) {
      IP2P_ASSIGN_OR_RETURN(clip_source_.emplace(), OpenClip(models.clip));
      auto clip = CatchTorch("loading CLIP", [&] { return ClipScorer::Create(*clip_source_, device); });
      IP2P_RETURN_IF_ERROR(clip.status());
      clip_ = *std::move(clip);
    }
    if (!models.safety_checker.empty()) {
      IP2P_ASSIGN_OR_RETURN(safety_source_.emplace(), OpenSafetyChecker(models.safety_checker));
      IP2P_ASSIGN_OR_RETURN(safety_, SafetyChecker::Create(*safety_source_, options_.device));
    }
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<MadeSample>> Make(const PairPrompt& prompt, const PairParams& params,
                                               std::span<const uint64_t> seeds,
                                               const StepHook& hook) override {
    IP2P_RETURN_IF_ERROR(ValidatePairs(params));
    IP2P_RETURN_IF_ERROR(ValidatePairPrompt(prompt));
    if (!params.thresholds.all_zero() && clip_ == nullptr) {
      return absl::FailedPreconditionError(
          "scores are wanted and no CLIP is loaded; wants one, or all "
          "thresholds 0");
    }
    const int most = BatchSize(params.resolution);
    if (seeds.size() > static_cast<size_t>(most)) {
      return absl::InvalidArgumentError(
          absl::StrFormat("a batch of %d samples; wants at most %d", seeds.size(), most));
    }
    const torch::NoGradGuard no_grad;
    UseThreads();
    IP2P_RETURN_IF_ERROR(
        CatchTorch("encoding the prompt", [&] { return Prepare(prompt, params.resolution); }));
    std::vector<MadeSample> made;
    while (made.size() < seeds.size()) {
      const size_t count = std::min<size_t>(seeds.size() - made.size(), fits_);
      auto part = CatchTorch("making a pair",
                             [&] { return MakeTogether(params, seeds.subspan(made.size(), count), hook); });
      if (absl::IsResourceExhausted(part.status()) && count > 1) {
        fits_ = count / 2;
        TrimHeap();
        continue;
      }
      IP2P_RETURN_IF_ERROR(part.status());
      for (MadeSample& sample : *part) made.push_back(std::move(sample));
    }
    return made;
  }

  int BatchSize(int resolution) const override {
    if (options_.batch > 0) return options_.batch;
    const int side = resolution / source_.config.vae.downscale();
    return std::clamp(kAutoLatentPixels / (side * side), 1, kMostAutoPairs);
  }
  int native_resolution() const override { return source_.config.native_resolution(); }
  bool has_clip() const override { return clip_ != nullptr; }
  bool has_safety_checker() const override { return safety_ != nullptr; }
  std::string precision_name() const override { return PrecisionName(precision_); }

  std::string fingerprint() const override {
    if (!fingerprint_.empty()) return fingerprint_;
    Fingerprint fingerprint;
    fingerprint.Add(source_);
    if (clip_source_.has_value()) fingerprint.Add(*clip_source_);
    if (safety_source_.has_value()) fingerprint.Add(*safety_source_);
    fingerprint_ = fingerprint.Hex();
    return fingerprint_;
  }

 private:
  // The setting belongs to the calling thread, and Make may be called on another one than Create.
  void UseThreads() const {
    if (options_.threads > 0) at::set_num_threads(options_.threads);
  }

  absl::Status Prepare(const PairPrompt& prompt, int resolution) {
    if (prepared_.texts.defined() && prepared_.prompt == prompt && prepared_.resolution == resolution) {
      return absl::OkStatus();
    }
    prepared_ = {};
    std::vector<torch::Tensor> ids;
    const bool after = IsAfter(prompt);
    for (const std::string& text :
         {std::string(), after ? prompt.output : prompt.caption, after ? prompt.caption : prompt.output}) {
      ids.push_back(torch::tensor(model_->tokenizer->Encode(text).ids));
    }
    ClipTextEncoder text_encoder = model_->text_encoder;
    prepared_.texts = text_encoder->forward(torch::stack(ids).to(model_->device));
    ReleaseSharedWeights(*text_encoder);  // not needed before the next prompt
    TrimHeap();
    if (!prompt.photo.pixels.empty()) {
      IP2P_ASSIGN_OR_RETURN(prepared_.fitted, FitImage(prompt.photo, {resolution, resolution}));
      Vae vae = model_->vae;
      const torch::Tensor pixels = ImageToTensor(prepared_.fitted, model_->device);
      const torch::Tensor mode = vae->EncodeMode(pixels.to(model_->dtype)).to(torch::kFloat32);
      prepared_.photo.latents = mode.contiguous() * source_.config.vae.scaling_factor;
      prepared_.photo_picture = (pixels[0] + 1) / 2;
      TrimHeap();
      prepared_.photo.region =
          ChangedRegion(*model_, *schedule_, prepared_.texts.narrow(0, 1, 2), prepared_.photo.latents);
      TrimHeap();
    }
    prepared_.prompt = prompt;
    prepared_.resolution = resolution;
    return absl::OkStatus();
  }

  // From seeds to samples. Throws what torch throws.
  absl::StatusOr<std::vector<MadeSample>> MakeTogether(const PairParams& params,
                                                       std::span<const uint64_t> seeds,
                                                       const StepHook& hook) {
    const int side = params.resolution / source_.config.vae.downscale();
    const int64_t channels = source_.config.vae.latent_channels;
    std::vector<PairItem> items;
    for (const uint64_t seed : seeds) {
      IP2P_ASSIGN_OR_RETURN(items.emplace_back(),
                            StartPair(seed, params, *schedule_, {1, channels, side, side}, model_->device));
    }
    PairDenoiser denoiser(*model_, *schedule_, prepared_.texts, prepared_.photo, CommonSteps(params),
                          options_.share_maps, trials_);
    for (int step = 0; step < params.steps; ++step) {
      denoiser.Step(items, params.steps);
      if (hook) IP2P_RETURN_IF_ERROR(hook(step + 1, params.steps));
    }
    std::vector<MadeSample> made;
    for (PairItem& item : items) {
      IP2P_ASSIGN_OR_RETURN(made.emplace_back(), Finish(params, item));
      item.sampler.reset();
    }
    return made;
  }

  // What changes most of a photo needs more noise to do so.
  double CommonSteps(const PairParams& params) const {
    const bool whole = prepared_.photo.latents.defined() && !prepared_.photo.region.defined();
    return whole ? params.whole_common_steps.value_or(params.common_steps) : params.common_steps;
  }

  // Latents to pictures, scores and the checker's opinion.
  absl::StatusOr<MadeSample> Finish(const PairParams& params, const PairItem& item) {
    MadeSample sample{.seed = item.seed, .p2p_threshold = item.p2p_threshold, .cfg_scale = item.cfg_scale};
    TrimHeap();
    const torch::Tensor pictures = Pictures(item.sampler->latents());
    TrimHeap();
    sample.finite = torch::isfinite(pictures.sum()).item<bool>();
    if (!sample.finite) return sample;
    if (!params.thresholds.all_zero()) {
      const ClipScores scores = Score(pictures);
      sample.finite = std::isfinite(scores.sim_0 + scores.sim_1 + scores.sim_dir + scores.sim_image);
      if (!sample.finite) return sample;  // NaN fits no line of a dataset, and would pass no filter
      sample.scores = scores;
    }
    const auto image_of = [&](PhotoSide side, int64_t at) {
      const bool is_photo = prepared_.photo_picture.defined() && prepared_.prompt.photo_side == side;
      return is_photo ? prepared_.fitted : TruncatedImage(pictures[at]);
    };
    sample.before = image_of(PhotoSide::kBefore, 0);
    sample.after = image_of(PhotoSide::kAfter, 1);
    if (safety_ == nullptr || !params.safety_check) return sample;
    for (const Image* image : {&sample.before, &sample.after}) {
      IP2P_ASSIGN_OR_RETURN(const bool unsafe, safety_->IsUnsafe(*image));
      sample.unsafe = sample.unsafe || unsafe;
    }
    return sample;
  }

  // Before and after; with a photo that itself, as an edit model will be given one, not what the autoencoder
  // makes of it.
  torch::Tensor Pictures(const torch::Tensor& latents) const {
    if (!prepared_.photo_picture.defined()) return DecodePictures(*model_, latents);
    const torch::Tensor other = DecodePictures(*model_, latents.narrow(0, 1, 1))[0];
    return IsAfter(prepared_.prompt) ? torch::stack({other, prepared_.photo_picture})
                                     : torch::stack({prepared_.photo_picture, other});
  }

  ClipScores Score(const torch::Tensor& pictures) {
    torch::Tensor& captions = prepared_.clip_features;
    if (!captions.defined()) captions = clip_->Texts({prepared_.prompt.caption, prepared_.prompt.output});
    const torch::Tensor images = clip_->Images(pictures);
    return ScoresOf(images[0], images[1], captions[0], captions[1]);
  }

  const PairSamplerOptions options_;

  // Set by Load, constant afterwards.
  Precision precision_ = Precision::kFloat32;  // never kAuto
  ModelSource source_;                         // kept for the fingerprint: mapped files, no memory
  mutable std::string fingerprint_;            // made when first asked for: it reads every weight
  std::optional<ClipSource> clip_source_;
  std::optional<SafetyCheckerSource> safety_source_;
  std::shared_ptr<const StableDiffusion> model_;
  std::unique_ptr<NoiseSchedule> schedule_;

  std::unique_ptr<ClipScorer> clip_;
  std::unique_ptr<SafetyChecker> safety_;
  PreparedPrompt prepared_;
  BatchTrials trials_;
  size_t fits_ = 256;  // samples that memory has room for; falls when it had not
};

}  // namespace

absl::StatusOr<std::unique_ptr<PairSampler>> PairSampler::Create(const PairModels& models,
                                                                 const PairSamplerOptions& options) {
  if (options.batch < 0 || options.batch > kMaxPairBatch) {
    return absl::InvalidArgumentError(
        absl::StrFormat("batch is %d; wants 1..%d, or 0 for auto", options.batch, kMaxPairBatch));
  }
  auto sampler = std::make_unique<TorchPairSampler>(options);
  IP2P_RETURN_IF_ERROR(sampler->Load(models));
  return sampler;
}

}  // namespace ip2p
