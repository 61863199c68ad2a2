// The residual block that the UNet and the VAE share, and the two ways they change resolution (diffusers'
// ResnetBlock2D, Downsample2D, Upsample2D). No state besides weights; thread-safe once loaded.
#pragma once

#include <torch/nn/module.h>
#include <torch/types.h>

#include <vector>

#include "common/model/layers.h"

namespace ip2p {

struct ResnetBlockConfig {
  int in = 0;
  int out = 0;
  int time = 0;  // width of the time embedding; 0: none (VAE)
  int groups = 32;
  double eps = 1e-5;
};

class ResnetBlockImpl : public torch::nn::Module {
 public:
  explicit ResnetBlockImpl(const ResnetBlockConfig& config);
  // x [N,in,H,W], silu_temb [N,time] (undefined without time) -> [N,out,H,W]. Gives x up as early as it can.
  torch::Tensor forward(torch::Tensor x, const torch::Tensor& silu_temb = {}) const;

 private:
  GroupNorm norm1_;
  Conv2d conv1_;
  Linear time_emb_proj_{nullptr};
  GroupNorm norm2_{nullptr};
  Conv2d conv2_{nullptr};
  Conv2d conv_shortcut_{nullptr};
};
TORCH_MODULE(ResnetBlock);

// [N,C,H,W] -> half of each side. The UNet pads all round, the VAE right and below only.
class DownsamplerImpl : public torch::nn::Module {
 public:
  DownsamplerImpl(int channels, bool pad_all_round);
  torch::Tensor forward(torch::Tensor x) const;

 private:
  bool pad_all_round_;
  Conv2d conv_;
};
TORCH_MODULE(Downsampler);

// [N,C,h,w] -> [N,C,height,width]: nearest neighbour, then a convolution.
class UpsamplerImpl : public torch::nn::Module, public Packable {
 public:
  // `doubles`: height and width are always 2h and 2w, so that Pack may assume it.
  UpsamplerImpl(int channels, bool doubles);
  torch::Tensor forward(torch::Tensor x, int64_t height, int64_t width) const;

  // With `doubles`, of nine taps on the doubled map several fall on the same pixel of the small one, so the
  // four phases of the output are 2x2 convolutions of the small map: 4/9 of the work, and no doubled input.
  // Releases the 3x3 weight.
  bool Pack() override;

 private:
  torch::Tensor Doubled(const torch::Tensor& x) const;

  bool doubles_;
  Conv2d conv_;
  // [N,C,h,w] -> [N,C,h+1,w+1] each, phase 2 * row + column; no children: they have no names in files.
  std::vector<Conv2d> phases_;
};
TORCH_MODULE(Upsampler);

}  // namespace ip2p
