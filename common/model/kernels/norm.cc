// See norm.h.
#include "common/model/kernels/norm.h"

#include <ATen/Parallel.h>

#include <cmath>
#include <vector>

#include "common/model/kernels/cpu_features.h"
#include "common/model/kernels/group_norm_rows.h"

namespace ip2p::kernels {
namespace {

// A sample is cut into chunks of rows by its own size alone, so neither the batch nor the number of threads
// decides in which order its sums are added.
constexpr int64_t kChunkElements = 1 << 15;

struct Shape {
  int64_t samples, channels, rows, groups;

  int64_t chunk_rows() const { return std::max<int64_t>(1, kChunkElements / channels); }
  int64_t chunks() const { return (rows + chunk_rows() - 1) / chunk_rows(); }
};

// Calls work(sample, chunk, first row, rows) for every chunk, on all threads.
template <typename Work>
void ForEachChunk(const Shape& s, const Work& work) {
  at::parallel_for(0, s.samples * s.chunks(), /*grain_size=*/1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t chunk = i % s.chunks(), first = chunk * s.chunk_rows();
      work(i / s.chunks(), chunk, first, std::min(s.chunk_rows(), s.rows - first));
    }
  });
}

// One sample's chunk sums to the factor and summand of every channel.
void ToScaleAndShift(const Shape& s, const float* pivots, const float* sums, const float* weight,
                     const float* bias, double eps, float* scale, float* shift) {
  const int64_t width = s.channels / s.groups;
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
    for (int64_t c = group * width; c < (group + 1) * width; ++c) {
      scale[c] = static_cast<float>(weight[c] * rate);
      shift[c] = static_cast<float>(bias[c] - group_mean * weight[c] * rate);
    }
  }
}

template <typename T, typename Scalar>
torch::Tensor FastGroupNorm(torch::Tensor x, int64_t groups, const torch::Tensor& weight,
                            const torch::Tensor& bias, double eps, bool silu) {
  const Shape s{.samples = x.size(0), .channels = x.size(1), .rows = x.size(2) * x.size(3), .groups = groups};
  const bool own = x.use_count() == 1 && x.storage().use_count() == 1;
  torch::Tensor y = own ? x : torch::empty(x.sizes(), x.options(), torch::MemoryFormat::ChannelsLast);
  const auto* from = reinterpret_cast<const T*>(x.const_data_ptr<Scalar>());
  auto* to = reinterpret_cast<T*>(y.mutable_data_ptr<Scalar>());
  const torch::Tensor weight32 = weight.to(torch::kFloat32).contiguous(),
                      bias32 = bias.to(torch::kFloat32).contiguous();
  const int64_t sample_size = s.rows * s.channels, sums_size = s.chunks() * 2 * s.channels;

  // The first row is near enough to the mean.
  const torch::Tensor pivots = x.select(3, 0).select(2, 0).to(torch::kFloat32).contiguous();
  std::vector<float> sums(s.samples * sums_size), scale(s.samples * s.channels), shift(scale.size());
  const float* pivot = pivots.const_data_ptr<float>();
  ForEachChunk(s, [&](int64_t sample, int64_t chunk, int64_t first, int64_t rows) {
    float* to_sums = sums.data() + sample * sums_size + chunk * 2 * s.channels;
    SumRows(Rows<T>{from + sample * sample_size + first * s.channels, rows, s.channels},
            pivot + sample * s.channels, to_sums, to_sums + s.channels);
  });
  for (int64_t sample = 0; sample < s.samples; ++sample) {
    ToScaleAndShift(s, pivot + sample * s.channels, sums.data() + sample * sums_size,
                    weight32.const_data_ptr<float>(), bias32.const_data_ptr<float>(), eps,
                    scale.data() + sample * s.channels, shift.data() + sample * s.channels);
  }
  ForEachChunk(s, [&](int64_t sample, int64_t, int64_t first, int64_t rows) {
    const int64_t at = sample * sample_size + first * s.channels;
    ScaleRows(Rows<T>{from + at, rows, s.channels}, scale.data() + sample * s.channels,
              shift.data() + sample * s.channels, silu && HasAvx512(), to + at);
  });
  return silu && !HasAvx512() ? torch::silu_(y) : y;
}

}  // namespace

torch::Tensor GroupNorm(torch::Tensor x, int64_t groups, const torch::Tensor& weight,
                        const torch::Tensor& bias, double eps, bool silu) {
  const bool fast = !torch::GradMode::is_enabled() && x.is_cpu() && x.dim() == 4 && x.numel() > 0 &&
                    x.is_contiguous(torch::MemoryFormat::ChannelsLast) && groups > 0 &&
                    x.size(1) % groups == 0 && weight.numel() == x.size(1) && bias.numel() == x.size(1);
  if (fast && x.scalar_type() == torch::kFloat32) {
    return FastGroupNorm<float, float>(std::move(x), groups, weight, bias, eps, silu);
  }
  if (fast && x.scalar_type() == torch::kBFloat16) {
    return FastGroupNorm<Bf16, at::BFloat16>(std::move(x), groups, weight, bias, eps, silu);
  }
  const torch::Tensor y = torch::group_norm(x, groups, weight, bias, eps);
  return silu ? torch::silu(y) : y;
}

}  // namespace ip2p::kernels
