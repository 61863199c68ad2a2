// The statistics of group normalisation over channels_last rows, for both its lives: inference and training.
// Included by kernel files only.
#pragma once

#include <ATen/Parallel.h>
#include <torch/types.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "common/model/kernels/group_norm_rows.h"

namespace ip2p::kernels {

// A sample is cut into chunks of rows by its own size alone, so neither the batch nor the number of threads
// decides in which order its sums are added.
struct GroupNormShape {
  static constexpr int64_t kChunkElements = 1 << 15;

  int64_t samples, channels, rows, groups;

  int64_t width() const { return channels / groups; }
  int64_t chunk_rows() const { return std::max<int64_t>(1, kChunkElements / channels); }
  int64_t chunks() const { return (rows + chunk_rows() - 1) / chunk_rows(); }
  int64_t offset(int64_t sample, int64_t row) const { return (sample * rows + row) * channels; }
};

inline GroupNormShape ShapeOf(const torch::Tensor& x, int64_t groups) {
  return {.samples = x.size(0), .channels = x.size(1), .rows = x.size(2) * x.size(3), .groups = groups};
}

// Calls work(sample, chunk, first row, rows) for every chunk, on all threads.
template <typename Work>
void ForEachChunk(const GroupNormShape& s, const Work& work) {
  at::parallel_for(0, s.samples * s.chunks(), /*grain_size=*/1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t chunk = i % s.chunks(), first = chunk * s.chunk_rows();
      work(i / s.chunks(), chunk, first, std::min(s.chunk_rows(), s.rows - first));
    }
  });
}

// y = x scale + shift, and what they were made of.
struct GroupNormAffine {
  std::vector<float> scale, shift;  // [samples,channels]
  std::vector<float> mean, rate;    // [samples,groups]; rate: 1 / standard deviation
};

// Sums over a sample's chunks, two a channel (group_norm_rows.h) -> its part of `affine`.
void ToAffine(const GroupNormShape& s, int64_t sample, const float* pivots, const float* sums,
              const float* weight, const float* bias, double eps, GroupNormAffine& affine);

// `from` is x's data.
template <typename T>
GroupNormAffine AffineOf(const GroupNormShape& s, const torch::Tensor& x, const T* from,
                         const torch::Tensor& weight, const torch::Tensor& bias, double eps) {
  const torch::Tensor weight32 = weight.to(torch::kFloat32).contiguous(),
                      bias32 = bias.to(torch::kFloat32).contiguous();
  const int64_t sums_size = s.chunks() * 2 * s.channels;
  // The first row is near enough to the mean.
  const torch::Tensor pivots = x.select(3, 0).select(2, 0).to(torch::kFloat32).contiguous();
  const float* pivot = pivots.const_data_ptr<float>();
  std::vector<float> sums(s.samples * sums_size);
  ForEachChunk(s, [&](int64_t sample, int64_t chunk, int64_t first, int64_t rows) {
    float* to = sums.data() + sample * sums_size + chunk * 2 * s.channels;
    SumRows(Rows<T>{from + s.offset(sample, first), rows, s.channels}, pivot + sample * s.channels, to,
            to + s.channels);
  });
  GroupNormAffine affine;
  for (auto* per_channel : {&affine.scale, &affine.shift}) per_channel->resize(s.samples * s.channels);
  for (auto* per_group : {&affine.mean, &affine.rate}) per_group->resize(s.samples * s.groups);
  for (int64_t sample = 0; sample < s.samples; ++sample) {
    ToAffine(s, sample, pivot + sample * s.channels, sums.data() + sample * sums_size,
             weight32.const_data_ptr<float>(), bias32.const_data_ptr<float>(), eps, affine);
  }
  return affine;
}

}  // namespace ip2p::kernels
