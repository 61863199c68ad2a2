// See recompute.h.
#include "common/model/recompute.h"

#include <ATen/autocast_mode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

#include <utility>

namespace ip2p {
namespace {

// Autocast of one device as it stood when the first pass ran.
struct Autocast {
  at::DeviceType device;
  bool enabled;
  at::ScalarType dtype;

  static Autocast Current(at::DeviceType device) {
    return {device, at::autocast::is_autocast_enabled(device), at::autocast::get_autocast_dtype(device)};
  }
  void Set() const {
    at::autocast::set_autocast_dtype(device, dtype);
    at::autocast::set_autocast_enabled(device, enabled);
  }
};

struct Held : torch::CustomClassHolder {
  Held(Segment s, Autocast a) : segment(std::move(s)), autocast(a) {}
  Segment segment;
  Autocast autocast;
};

struct RecomputeFunction : torch::autograd::Function<RecomputeFunction> {
  static torch::autograd::variable_list forward(torch::autograd::AutogradContext* ctx, at::TensorList inputs,
                                                const c10::intrusive_ptr<Held>& held) {
    ctx->save_for_backward(inputs.vec());
    ctx->saved_data["held"] = c10::IValue::make_capsule(held);
    const torch::NoGradGuard no_grad;
    return {held->segment(inputs.vec())};
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* ctx,
                                                 torch::autograd::variable_list gradients) {
    const auto capsule = ctx->saved_data["held"].toCapsule();
    const auto& held = static_cast<const Held&>(*capsule);
    const torch::autograd::variable_list saved = ctx->get_saved_variables();
    torch::autograd::variable_list inputs;
    for (const torch::Tensor& input : saved)
      inputs.push_back(input.detach().set_requires_grad(input.requires_grad()));
    const Autocast outside = Autocast::Current(held.autocast.device);
    torch::Tensor output;
    {
      const torch::AutoGradMode with_grad(true);
      held.autocast.Set();
      output = held.segment(inputs);
      outside.Set();
    }
    torch::autograd::backward({output}, {gradients[0]});
    torch::autograd::variable_list result;
    for (const torch::Tensor& input : inputs)
      result.push_back(input.requires_grad() ? input.grad() : torch::Tensor());
    result.emplace_back();  // of `held`
    return result;
  }
};

}  // namespace

torch::Tensor Recompute(Segment segment, std::vector<torch::Tensor> inputs) {
  TORCH_CHECK(!inputs.empty(), "recomputation of nothing");
  const auto held =
      c10::make_intrusive<Held>(std::move(segment), Autocast::Current(inputs[0].device().type()));
  return RecomputeFunction::apply(at::TensorList(inputs), held)[0];
}

}  // namespace ip2p
