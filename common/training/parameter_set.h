// The parameters that a run learns, laid end to end: one buffer of weights, and one of gradients or two. So
// that the norm of the gradient, its exchange between ranks and the optimizer's step are single passes over
// memory.
//
// A parameter may be computed with in bf16: the module then holds a copy of its weights in that type (its
// shadow), which the optimizer writes beside the float32 weights, and gets its gradient in that type.
// Autocast has nothing left to convert then, neither weights before a step nor gradients after it, and the
// results are the same.
//
// One thread. Modules' parameters become views of the buffers, channels_last where they have four dimensions.
#pragma once

#include <torch/types.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "common/checkpoint/tensor.h"

namespace ip2p {

struct LearnedParameter {
  std::string name;      // with its network before it: "unet.conv_in.weight"
  torch::Tensor tensor;  // the module's own, float32
  bool shadowed = false;
};

struct NamedParameter {
  std::string name;
  torch::Tensor tensor;         // the module's own
  int64_t offset = 0;           // of its first element in the buffer of weights
  bool shadowed = false;        // the module's is bf16
  int64_t gradient_offset = 0;  // in the buffer of its gradients' type
};

class ParameterSet {
 public:
  // Elements that parameters start at a multiple of, in every buffer.
  static constexpr int64_t kAlign = 256;

  // Takes float32 parameters of one device over; their values stay. Order is that of the list. Throws what
  // torch throws.
  explicit ParameterSet(const std::vector<LearnedParameter>& parameters);

  const std::vector<NamedParameter>& items() const { return items_; }
  std::vector<std::string> names() const;
  int64_t count() const { return count_; }  // elements, without what is between parameters
  torch::Tensor& weights() { return weights_; }
  const torch::Tensor& weights() const { return weights_; }
  // Of the parameters without a shadow: float32, in the layout of weights() where none has one.
  torch::Tensor& gradients() { return gradients_; }
  // Of the others, bf16; undefined where there are none.
  torch::Tensor& shadow_gradients() { return shadow_gradients_; }

  // A run of parameters of one kind: elements begin..begin+gradients.numel()-1 of the weights.
  struct Range {
    int64_t begin = 0;
    torch::Tensor gradients;  // float32 or bf16, [n]
    torch::Tensor shadow;     // bf16, [n]; undefined: none
  };
  const std::vector<Range>& ranges() const { return ranges_; }

  // Points every parameter's .grad at its part of its buffer, which is zeroed.
  void ZeroGradients();
  // After weights() were changed by anything but AdamWStep.
  void WriteShadows();
  // A buffer of the same layout as the weights, zeros: moments, averages.
  torch::Tensor NewBuffer(torch::ScalarType dtype = torch::kFloat32) const {
    return torch::zeros(weights_.sizes(), weights_.options().dtype(dtype));
  }
  // A copy of all gradients, float32, in the layout of the weights.
  torch::Tensor AllGradients() const;

  // Row-major tensors on the CPU, one a parameter, from a buffer of the weights' layout; and back. `prefix`
  // goes before names. FAILED_PRECONDITION names the first tensors that are missing, unexpected, misshapen or
  // of another type; the buffer is then as before.
  TensorMap ToTensors(const torch::Tensor& buffer, const std::string& prefix = "") const;
  absl::Status FromTensors(const TensorMap& tensors, torch::Tensor& buffer,
                           const std::string& prefix = "") const;

  // The same of a buffer with one float32 for each kAlign elements of the others: [blocks] a parameter.
  TensorMap ScalesToTensors(const torch::Tensor& buffer, const std::string& prefix) const;
  absl::Status ScalesFromTensors(const TensorMap& tensors, torch::Tensor& buffer,
                                 const std::string& prefix) const;

 private:
  struct Named {
    std::string name;
    torch::Tensor view;
  };
  static absl::Status Fill(const std::vector<Named>& views, const TensorMap& tensors,
                           const std::string& prefix);
  std::vector<Named> ViewsOf(const torch::Tensor& buffer) const;
  std::vector<Named> ScalesOf(const torch::Tensor& buffer) const;
  static torch::Tensor ViewOf(const torch::Tensor& buffer, int64_t offset, at::IntArrayRef sizes);
  torch::Tensor ViewOf(const torch::Tensor& buffer, const NamedParameter& item) const {
    return ViewOf(buffer, item.offset, item.tensor.sizes());
  }
  torch::Tensor& GradientsOf(const NamedParameter& item) {
    return item.shadowed ? shadow_gradients_ : gradients_;
  }
  void MakeRanges();

  std::vector<NamedParameter> items_;
  std::vector<Range> ranges_;
  int64_t count_ = 0;
  torch::Tensor weights_, gradients_;
  torch::Tensor shadows_, shadow_gradients_;  // of one layout
};

// The bytes of a float32, uint8 or int64 CPU tensor as checkpoint code takes them, and a tensor of a view.
TensorView ToTensorView(const torch::Tensor& tensor);
torch::Tensor FromTensorView(const TensorView& view);

}  // namespace ip2p
