// Gradient checkpointing (Chen et al., arXiv 1604.06174): a part of a network that keeps its inputs only, and
// computes what is between again when gradients ask for it. For parts without randomness.
//
// Inside the first pass gradients are off, so that layers may take their inference form there; results then
// differ from those of the second pass in last bits. Gradients of parameters used inside arrive in their
// .grad as usual. Autocast is the same in both passes. Torch's exceptions pass through.
#pragma once

#include <torch/types.h>

#include <functional>
#include <utility>
#include <vector>

namespace ip2p {

using Segment = std::function<torch::Tensor(const std::vector<torch::Tensor>& inputs)>;

// segment(inputs). Everything that needs a gradient and is no parameter is an input; at least one input needs
// one. What the segment refers to outlives the backward pass.
torch::Tensor Recompute(Segment segment, std::vector<torch::Tensor> inputs);

// layer(x), recomputed where it is asked for and gradients are on. The layer lives as long as the pass does.
template <typename Layer>
torch::Tensor RunLayer(const Layer& layer, torch::Tensor x, bool recompute) {
  if (!recompute || !torch::GradMode::is_enabled()) return layer->forward(std::move(x));
  return Recompute([layer](const std::vector<torch::Tensor>& in) { return layer->forward(in[0]); },
                   {std::move(x)});
}

}  // namespace ip2p
