// Name levels of a checkpoint that compute nothing ("to_out" in "to_out.0", "down_blocks" in
// "down_blocks.3").
#pragma once

#include <torch/nn/module.h>
#include <torch/types.h>

#include <string>
#include <utility>

namespace ip2p {

class ScopeImpl : public torch::nn::Module {
 public:
  template <typename M>
  M Add(std::string name, M module) {
    return register_module(std::move(name), std::move(module));
  }
  template <typename M>
  M Add(size_t index, M module) {
    return register_module(std::to_string(index), std::move(module));
  }
};
TORCH_MODULE(Scope);

// x + y; x's memory is reused where no gradient needs it. The caller gives x up.
inline torch::Tensor AddInto(torch::Tensor x, const torch::Tensor& y) {
  return torch::GradMode::is_enabled() ? x + y : x.add_(y);
}

}  // namespace ip2p
