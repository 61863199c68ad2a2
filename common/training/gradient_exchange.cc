// See gradient_exchange.h.
#include "common/training/gradient_exchange.h"

#include <torch/csrc/autograd/function_hook.h>
#include <torch/csrc/autograd/variable.h>

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
  const int64_t wanted = bucket_bytes / static_cast<int64_t>(sizeof(float));
  int64_t end = parameters.weights().numel();
  const auto& items = parameters.items();
  Bucket bucket{.begin = end, .end = end};
  for (size_t i = items.size(); i-- > 0;) {
    bucket.begin = items[i].offset;
    ++bucket.parameters;
    torch::autograd::impl::set_post_acc_grad_hooks(items[i].tensor,
                                                   std::make_unique<Hook>(this, buckets_.size()));
    if (bucket.end - bucket.begin >= wanted || i == 0) {
      buckets_.push_back(bucket);
      bucket = {.begin = bucket.begin, .end = bucket.begin};
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
    const Bucket& bucket = buckets_[next_];
    parts_.push_back(parameters_.gradients().narrow(0, bucket.begin, bucket.end - bucket.begin));
    pending_.push_back(group_.StartSum(parts_.back()));
  }
}

void GradientExchange::Finish() {
  armed_ = false;
  for (Bucket& bucket : buckets_) bucket.missing = 0;  // a parameter that took no part has zeros
  Launch();
  for (const auto& pending : pending_) pending->Wait();
  pending_.clear();
  parts_.clear();
}

}  // namespace ip2p
