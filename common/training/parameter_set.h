// The parameters that a run learns, laid end to end: one buffer of weights, one of gradients. So that the
// norm of the gradient, its exchange between ranks and the optimizer's step are single passes over memory.
//
// One thread. Modules' parameters become views of the buffer, channels_last where they have four dimensions.
#pragma once

#include <torch/types.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "common/checkpoint/tensor.h"

namespace ip2p {

struct NamedParameter {
  std::string name;      // with its network before it: "unet.conv_in.weight"
  torch::Tensor tensor;  // the module's own
  int64_t offset = 0;    // of its first element in the buffers
};

class ParameterSet {
 public:
  // Takes float32 parameters of one device over; their values stay. Order is that of the list. Throws what
  // torch throws.
  explicit ParameterSet(const std::vector<std::pair<std::string, torch::Tensor>>& parameters);

  const std::vector<NamedParameter>& items() const { return items_; }
  int64_t count() const { return count_; }  // elements, without what is between parameters
  torch::Tensor& weights() { return weights_; }
  const torch::Tensor& weights() const { return weights_; }
  torch::Tensor& gradients() { return gradients_; }

  // Points every parameter's .grad at its part of the buffer, which is zeroed.
  void ZeroGradients();
  // A buffer of the same layout, zeros: moments, averages.
  torch::Tensor NewBuffer() const { return torch::zeros_like(weights_); }

  // Row-major float32 tensors on the CPU, one a parameter, from a buffer of this layout; and back. `prefix`
  // goes before names. FAILED_PRECONDITION names the first tensors that are missing, unexpected or misshapen;
  // the buffer is then as before.
  TensorMap ToTensors(const torch::Tensor& buffer, const std::string& prefix = "") const;
  absl::Status FromTensors(const TensorMap& tensors, torch::Tensor& buffer,
                           const std::string& prefix = "") const;

 private:
  torch::Tensor ViewOf(const torch::Tensor& buffer, const NamedParameter& item) const;

  std::vector<NamedParameter> items_;
  int64_t count_ = 0;
  torch::Tensor weights_, gradients_;
};

// The bytes of a float32 or int64 CPU tensor as checkpoint code takes them, and a tensor of a view.
TensorView ToTensorView(const torch::Tensor& tensor);
torch::Tensor FromTensorView(const TensorView& view);

}  // namespace ip2p
