// Makes samples of a prompt: two images from one noise by Prompt-to-Prompt with shared self-attention, and
// their CLIP scores (Brooks et al., arXiv 2211.09800, section 3.1.2).
//
// A sample is a function of weights, precision, prompt, params and its seed alone: the batch it ran in does
// not show. Its last bits also follow the kind of CPU and the number of threads, as torch's sums do. One
// thread at a time; torch stays behind this header.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/image/image.h"
#include "common/pipeline/edit_engine.h"
#include "common/pipeline/pair_types.h"

namespace ip2p {

struct PairModels {
  std::string checkpoint;      // any layout that OpenModel reads, a text-to-image UNet
  std::string vae_checkpoint;  // empty: the checkpoint's own
  std::string clip;            // transformers folder; empty: no scores
  std::string safety_checker;  // diffusers folder; empty: no check
};

constexpr int kMaxPairBatch = 256;

struct PairSamplerOptions {
  std::string device = "cpu";
  Precision precision = Precision::kAuto;
  int threads = 0;  // intra-op threads; 0: torch's default
  int batch = 0;    // samples denoised together, 1..256; 0: by their size (see BatchSize)
  bool share_maps =
      true;  // false: image 1 computes its own queries, keys and scores even where they are replaced
};

// One sample as made, not yet judged.
struct MadeSample {
  uint64_t seed = 0;
  double p2p_threshold = 0;
  double cfg_scale = 0;
  bool finite = true;                // false: the model produced NaN, and there are no images
  bool unsafe = false;               // the safety checker flagged an image
  std::optional<ClipScores> scores;  // absent when CLIP was not asked
  Image before;
  Image after;
};

// Told after each denoising step of a batch; an error gives the batch up and is what Make returns.
using StepHook = std::function<absl::Status(int step, int steps)>;

class PairSampler {
 public:
  // Loads the weights (seconds, gigabytes). Errors: those of OpenModel; INVALID_ARGUMENT for an edit
  // checkpoint (8 input channels).
  static absl::StatusOr<std::unique_ptr<PairSampler>> Create(const PairModels& models,
                                                             const PairSamplerOptions& options);
  virtual ~PairSampler() = default;

  // Makes the samples of `seeds`, at most BatchSize(params.resolution) of them, together. CLIP is asked
  // unless params.thresholds.all_zero(). Errors: FAILED_PRECONDITION (scores wanted, no CLIP),
  // RESOURCE_EXHAUSTED (out of memory even for one sample), what `hook` returned.
  virtual absl::StatusOr<std::vector<MadeSample>> Make(const PairPrompt& prompt, const PairParams& params,
                                                       std::span<const uint64_t> seeds,
                                                       const StepHook& hook) = 0;
  // Most samples of one Make. Chosen by default: as many as fill a processor, 1 from 256 px of SD 1.5
  // upwards.
  virtual int BatchSize(int resolution) const = 0;
  virtual int native_resolution() const = 0;  // side in px that the model was trained at
  virtual bool has_clip() const = 0;
  virtual bool has_safety_checker() const = 0;
  virtual std::string precision_name() const = 0;  // "fp32", "bf16", "fp16"
  // What a dataset made with these weights is told apart by: 128-bit digest of the models' tensors and
  // configs.
  virtual std::string fingerprint() const = 0;
};

}  // namespace ip2p
