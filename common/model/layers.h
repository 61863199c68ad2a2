// The layers that every network here is made of. Parameters carry the checkpoint's names ("weight", "bias")
// and are created without values: a new network costs address space only, until a loader or an initialiser
// fills them.
//
// Two lives: with gradients on, a layer is plain differentiable torch operators on any device. Pack() turns a
// CPU layer into its inference form for good: the weight is laid out for oneDNN, the original is released
// (the parameter keeps its name, empty), and every later forward with gradients on throws. Forward is const
// and thread-safe; Pack is not. Shape and type faults throw c10::Error.
#pragma once

#include <torch/nn/module.h>
#include <torch/types.h>

namespace ip2p {

// A layer with an inference form: see the file's comment.
class Packable {
 public:
  virtual ~Packable() = default;
  // Returns false, and changes nothing, where packing does not pay: another device, a type that oneDNN does
  // not run here, no weight.
  virtual bool Pack() = 0;
};

// y = x W^T + b over the last dimension.
class LinearImpl : public torch::nn::Module, public Packable {
 public:
  LinearImpl(int64_t in, int64_t out, bool bias = true);
  // x [...,in] -> [...,out].
  torch::Tensor forward(const torch::Tensor& x) const;
  // forward(x) + addend, rounded once where packed; addend [...,out].
  torch::Tensor ForwardAdd(const torch::Tensor& x, const torch::Tensor& addend) const;

  bool Pack() override;
  bool packed() const { return packed_.defined(); }
  torch::ScalarType dtype() const { return weight.scalar_type(); }

  torch::Tensor weight;  // [out,in]
  torch::Tensor bias;    // [out], undefined without

 private:
  torch::Tensor packed_;
};
TORCH_MODULE(Linear);

// Square kernel, same stride and padding on both axes. Results on the CPU are channels_last.
class Conv2dImpl : public torch::nn::Module, public Packable {
 public:
  Conv2dImpl(int64_t in, int64_t out, int64_t kernel, int64_t stride = 1, int64_t padding = 0);
  // x [N,in,H,W] -> [N,out,H',W'].
  torch::Tensor forward(const torch::Tensor& x) const;
  // forward(x) + addend, rounded once where packed; addend [N,out,H',W'].
  torch::Tensor ForwardAdd(const torch::Tensor& x, const torch::Tensor& addend) const;

  bool Pack() override;
  bool packed() const { return packed_.defined(); }
  torch::ScalarType dtype() const { return weight.scalar_type(); }

  torch::Tensor weight;  // [out,in,kernel,kernel]
  torch::Tensor bias;    // [out]

 private:
  int64_t stride_, padding_;
  torch::Tensor packed_;
};
TORCH_MODULE(Conv2d);

// Group normalisation, then SiLU where asked for.
class GroupNormImpl : public torch::nn::Module {
 public:
  GroupNormImpl(int64_t groups, int64_t channels, double eps, bool silu = false);
  // x [N,channels,H,W] -> the same shape and memory format. Without gradients a moved x may become the
  // result.
  torch::Tensor forward(torch::Tensor x) const;

  torch::Tensor weight;  // [channels]
  torch::Tensor bias;    // [channels]

 private:
  int64_t groups_;
  double eps_;
  bool silu_;
};
TORCH_MODULE(GroupNorm);

// Over the last dimension.
class LayerNormImpl : public torch::nn::Module {
 public:
  LayerNormImpl(int64_t dim, double eps);
  torch::Tensor forward(const torch::Tensor& x) const;  // x [...,dim]

  torch::Tensor weight;  // [dim]
  torch::Tensor bias;    // [dim]

 private:
  double eps_;
};
TORCH_MODULE(LayerNorm);

// Packs every Packable below `root` that can be, in registration order. One inside another (an upsampler's
// convolution) is the outer one's to pack.
void PackAll(torch::nn::Module& root);

}  // namespace ip2p
