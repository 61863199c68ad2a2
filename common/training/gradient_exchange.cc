// See gradient_exchange.h.
#include "common/training/gradient_exchange.h"

#include <torch/csrc/autograd/function_hook.h>
#include <torch/csrc/autograd/variable.h>

#include <algorithm>
#include <utility>

namespace ip2p {

class GradientExchange::Hook final : public torch::autograd::PostAccumulateGradHook {
 public:
  Hook(GradientExchange* owner, size_t bucket) : owner_(owner), bucket_(bucket) {}
  void operator()(const torch::autograd::Variable&) override { owner_->OnGradient(bucket_); }

 private:
  GradientExchange* const owner_;
  const size_t bucket_;
};

GradientExchange::GradientExchange(ParameterSet& parameters, RankGroup& group, int64_t bucket_bytes)
    : parameters_(parameters), group_(group) {
  const auto& items = parameters.items();
  for (size_t last = items.size(), first = last; last > 0; last = first) {
    struct Part {
      torch::Tensor buffer;
      int64_t begin = -1, end = 0;
    } parts[] = {{parameters.gradients()}, {parameters.shadow_gradients()}};
    int64_t bytes = 0;
    for (first = last; first > 0 && bytes < bucket_bytes; --first) {
      const NamedParameter& item = items[first - 1];
      Part& part = parts[item.shadowed ? 1 : 0];
      part.begin = item.gradient_offset;
      part.end = std::max(part.end, item.gradient_offset + item.tensor.numel());
      bytes += static_cast<int64_t>(item.tensor.nbytes());
      torch::autograd::impl::set_post_acc_grad_hooks(item.tensor,
                                                     std::make_unique<Hook>(this, buckets_.size()));
    }
    Bucket& bucket = buckets_.emplace_back();
    bucket.parameters = static_cast<int>(last - first);
    for (const Part& part : parts) {
      if (part.begin >= 0) bucket.parts.push_back(part.buffer.narrow(0, part.begin, part.end - part.begin));
    }
  }
}

GradientExchange::~GradientExchange() {
  for (const NamedParameter& item : parameters_.items())
    torch::autograd::impl::set_post_acc_grad_hooks(item.tensor, nullptr);
}

void GradientExchange::Arm() {
  for (Bucket& bucket : buckets_) bucket.missing = bucket.parameters;
  next_ = 0;
  armed_ = true;
}

void GradientExchange::OnGradient(size_t bucket) {
  if (!armed_) return;
  --buckets_[bucket].missing;
  Launch();
}

void GradientExchange::Launch() {
  for (; next_ < buckets_.size() && buckets_[next_].missing <= 0; ++next_) {
    for (torch::Tensor& part : buckets_[next_].parts) pending_.push_back(group_.StartSum(part));
  }
}

void GradientExchange::Finish() {
  armed_ = false;
  for (Bucket& bucket : buckets_) bucket.missing = 0;  // a parameter that took no part has zeros
  Launch();
  for (const auto& pending : pending_) pending->Wait();
  pending_.clear();
}

}  // namespace ip2p
