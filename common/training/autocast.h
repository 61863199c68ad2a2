// Mixed precision of a scope: matrix products and convolutions in bf16, the rest and the weights as they are.
// One thread, on which the scope begins and ends.
#pragma once

#include <ATen/autocast_mode.h>
#include <torch/types.h>

namespace ip2p {

class AutocastScope {
 public:
  AutocastScope(torch::Device device, bool bf16)
      : device_(device.type()),
        was_enabled_(at::autocast::is_autocast_enabled(device_)),
        old_dtype_(at::autocast::get_autocast_dtype(device_)) {
    at::autocast::increment_nesting();
    at::autocast::set_autocast_dtype(device_, torch::kBFloat16);
    at::autocast::set_autocast_enabled(device_, bf16);
  }
  ~AutocastScope() {
    at::autocast::set_autocast_enabled(device_, was_enabled_);
    at::autocast::set_autocast_dtype(device_, old_dtype_);
    if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();  // of weights in bf16
  }
  AutocastScope(const AutocastScope&) = delete;
  AutocastScope& operator=(const AutocastScope&) = delete;

 private:
  const at::DeviceType device_;
  const bool was_enabled_;
  const at::ScalarType old_dtype_;
};

}  // namespace ip2p
