// The four scores of the reference's ClipSimilarity, by any CLIP in transformers' layout. Internal to this
// folder and to what links torch. One thread at a time; torch's exceptions are the caller's to catch.
#pragma once

#include <torch/types.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/checkpoint/clip_source.h"
#include "common/dataset/sample.h"

namespace ip2p {

class ClipScorer {
 public:
  // Loads the weights (1 s and, when the file's type is `dtype`, no memory of their own on the CPU). Scores
  // decide what enters a dataset, and float32 is what the reference's CLIP runs in: bf16 moves sim_dir by
  // 0.002. Errors: those of LoadClip.
  static absl::StatusOr<std::unique_ptr<ClipScorer>> Create(const ClipSource& source, torch::Device device,
                                                            torch::ScalarType dtype = torch::kFloat32);
  virtual ~ClipScorer() = default;

  // texts -> unit features [N,d] float32 on the CPU; longer than the context is cut as CLIP does. Each is
  // evaluated by itself, here and below, so that no feature depends on what stood beside it.
  virtual torch::Tensor Texts(const std::vector<std::string>& texts) = 0;
  // images [N,3,h,w] float32 in [0,1] -> unit features [N,d] float32 on the CPU: bicubic resize
  // (align_corners off, no antialias), normalised as the tower's preprocessor says.
  virtual torch::Tensor Images(const torch::Tensor& images) = 0;
};

// torch's cosine_similarity of two features [d] float32: 0 where one is all zeros, so that equal images have
// direction 0.
double Cosine(const torch::Tensor& a, const torch::Tensor& b);
// Cosines. Unit features of image 0, image 1, text 0, text 1, each [d] float32.
ClipScores ScoresOf(const torch::Tensor& image_0, const torch::Tensor& image_1, const torch::Tensor& text_0,
                    const torch::Tensor& text_1);

}  // namespace ip2p
