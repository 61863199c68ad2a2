// Where an instruction wants to change a photo: the absolute difference between the noise that is predicted
// with the instruction and without it (both with the photo), which guidance computes anyway, averaged over
// channels and over evaluations.
//
// DiffEdit (Couairon et al., arXiv 2210.11427, section 3.2) and Watch Your Steps (Mirzaei et al., arXiv
// 2308.08947, section 4.1) take it from noised photos in evaluations of their own. Both scale by a fixed rule
// (three times the mean; quartiles), which fits edits of some area only. Here the two classes of Otsu (1979)
// scale it: 0 is the mean of what the instruction leaves alone, 1 the mean of what it means to change,
// however large either is. One thread at a time.
#pragma once

#include <torch/types.h>

#include "common/checkpoint/model_config.h"

namespace ip2p {

class RelevanceMap {
 public:
  // The network's outputs [1,C,h,w] at `sigma`, any float dtype, with the instruction and without it.
  void Add(PredictionType prediction, double sigma, const torch::Tensor& with_text,
           const torch::Tensor& without_text);
  bool empty() const { return !sum_.defined(); }

  // [1,1,h,w] float32, 0..1, smoothed over 3x3. Zeros when nothing differs from the rest; ones when an output
  // was not finite, so that it shows in the picture. Only while !empty().
  torch::Tensor Normalised() const;

 private:
  torch::Tensor sum_;  // [1,1,h,w] float32
};

// `relevance` of at least `threshold`, and the cells around, which a contour between two cells runs through
// -> [1,1,h,w] bool.
torch::Tensor RelevantCells(const torch::Tensor& relevance, double threshold);

}  // namespace ip2p
