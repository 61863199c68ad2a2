// See the header.
#include "common/diffusion/relevance_map.h"

#include <cmath>
#include <optional>

#include "common/diffusion/denoiser.h"

namespace ip2p {
namespace {

struct Classes {
  double low;  // means
  double high;
};

// The split of the sorted values with the greatest variance between its two sides. Nothing when all are
// equal.
std::optional<Classes> SplitByOtsu(const torch::Tensor& sorted) {
  const auto values = sorted.accessor<double, 1>();
  const int64_t count = values.size(0);
  const double total = sorted.sum().item<double>();
  std::optional<Classes> best;
  double best_variance = 0, below = 0;
  for (int64_t i = 0; i + 1 < count; ++i) {
    below += values[i];
    if (values[i] == values[i + 1]) continue;  // no threshold lies between equals
    const double fewer = static_cast<double>(i + 1), more = static_cast<double>(count - i - 1);
    const Classes classes{below / fewer, (total - below) / more};
    const double variance = fewer * more * (classes.high - classes.low) * (classes.high - classes.low);
    if (variance > best_variance) {
      best_variance = variance;
      best = classes;
    }
  }
  return best;
}

}  // namespace

void RelevanceMap::Add(PredictionType prediction, double sigma, const torch::Tensor& with_text,
                       const torch::Tensor& without_text) {
  // In units of the noise, whatever the network predicts, so that evaluations weigh alike.
  const double scale = std::abs(ScalingsFor(prediction, sigma).c_out) / sigma;
  const torch::Tensor difference =
      (with_text.to(torch::kFloat32) - without_text.to(torch::kFloat32)).abs().mean({1}, true) * scale;
  sum_ = empty() ? difference : sum_ + difference;
}

torch::Tensor RelevanceMap::Normalised() const {
  if (!torch::isfinite(sum_.sum()).item<bool>()) return torch::ones_like(sum_);
  // The edge's mean is over the cells that there are.
  const torch::Tensor smooth = at::avg_pool2d(sum_, {3, 3}, {1, 1}, {1, 1}, /*ceil_mode=*/false,
                                              /*count_include_pad=*/false);
  const torch::Tensor sorted = std::get<0>(smooth.flatten().to(torch::kCPU, torch::kFloat64).sort());
  const std::optional<Classes> classes = SplitByOtsu(sorted);
  if (!classes) return torch::zeros_like(sum_);
  return ((smooth - classes->low) / (classes->high - classes->low)).clamp(0, 1);
}

torch::Tensor RelevantCells(const torch::Tensor& relevance, double threshold) {
  const torch::Tensor relevant = relevance.ge(threshold).to(torch::kFloat32);
  return at::max_pool2d(relevant, {3, 3}, {1, 1}, {1, 1}).gt(0.5);
}

}  // namespace ip2p
