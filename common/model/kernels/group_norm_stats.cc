// See group_norm_stats.h.
#include "common/model/kernels/group_norm_stats.h"

#include <cmath>

namespace ip2p::kernels {

void ToAffine(const GroupNormShape& s, int64_t sample, const float* pivots, const float* sums,
              const float* weight, const float* bias, double eps, GroupNormAffine& affine) {
  const int64_t width = s.width();
  const auto rows = static_cast<double>(s.rows);
  std::vector<double> mean(width), spread(width);
  for (int64_t group = 0; group < s.groups; ++group) {
    double group_mean = 0, variance = 0;
    for (int64_t i = 0; i < width; ++i) {
      const int64_t c = group * width + i;
      double sum = 0, square = 0;
      for (int64_t chunk = 0; chunk < s.chunks(); ++chunk) {
        sum += sums[(chunk * 2) * s.channels + c];
        square += sums[(chunk * 2 + 1) * s.channels + c];
      }
      mean[i] = pivots[c] + sum / rows;
      spread[i] = square - sum * sum / rows;
      group_mean += mean[i] / static_cast<double>(width);
    }
    for (int64_t i = 0; i < width; ++i) {
      const double off = mean[i] - group_mean;
      variance += (spread[i] / rows + off * off) / static_cast<double>(width);
    }
    const double rate = 1 / std::sqrt(std::max(variance, 0.0) + eps);
    affine.mean[sample * s.groups + group] = static_cast<float>(group_mean);
    affine.rate[sample * s.groups + group] = static_cast<float>(rate);
    for (int64_t c = group * width; c < (group + 1) * width; ++c) {
      affine.scale[sample * s.channels + c] = static_cast<float>(weight[c] * rate);
      affine.shift[sample * s.channels + c] = static_cast<float>(bias[c] - group_mean * weight[c] * rate);
    }
  }
}

}  // namespace ip2p::kernels
