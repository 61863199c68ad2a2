// See conv_columns.h.
#include "common/model/kernels/conv_columns.h"

#include <algorithm>
#include <cstring>

namespace ip2p::kernels {
namespace {

// What the taps of one row of the kernel see of a row of the map: taps first..last-1 lie inside.
struct Run {
  int64_t first = 0, last = 0;
  int64_t x = 0;  // of tap `first`
};

Run RunAt(const ConvShape& s, int64_t out_x) {
  const int64_t left = out_x * s.stride - s.padding;
  const int64_t first = std::clamp<int64_t>(-left, 0, s.kernel);
  const int64_t last = std::clamp<int64_t>(s.width - left, first, s.kernel);
  return {.first = first, .last = last, .x = left + first};
}

}  // namespace

void GatherColumns(const ConvShape& s, const Bf16* x, int64_t begin, int64_t end, Bf16* columns) {
  const int64_t c = s.channels, tap_row = s.kernel * c;
  for (int64_t row = begin; row < end; ++row) {
    const int64_t out_x = row % s.out_width, out_y = row / s.out_width % s.out_height;
    const int64_t sample = row / (s.out_width * s.out_height);
    const Run run = RunAt(s, out_x);
    for (int64_t i = 0; i < s.kernel; ++i, columns += tap_row) {
      const int64_t y = out_y * s.stride - s.padding + i;
      if (y < 0 || y >= s.height || run.first == run.last) {
        std::memset(columns, 0, tap_row * sizeof(Bf16));
        continue;
      }
      std::memset(columns, 0, run.first * c * sizeof(Bf16));
      std::memcpy(columns + run.first * c, x + ((sample * s.height + y) * s.width + run.x) * c,
                  (run.last - run.first) * c * sizeof(Bf16));
      std::memset(columns + run.last * c, 0, (s.kernel - run.last) * c * sizeof(Bf16));
    }
  }
}

void ScatterColumns(const ConvShape& s, int64_t sample, const Bf16* columns, float* sums, Bf16* x) {
  const int64_t c = s.channels, tap_row = s.kernel * c, pixels = s.height * s.width;
  std::fill(sums, sums + pixels * c, 0.0F);
  const Bf16* row = columns + sample * s.out_height * s.out_width * s.columns();
  for (int64_t out_y = 0; out_y < s.out_height; ++out_y) {
    for (int64_t out_x = 0; out_x < s.out_width; ++out_x) {
      const Run run = RunAt(s, out_x);
      for (int64_t i = 0; i < s.kernel; ++i, row += tap_row) {
        const int64_t y = out_y * s.stride - s.padding + i;
        if (y < 0 || y >= s.height) continue;
        float* to = sums + (y * s.width + run.x) * c;
        const Bf16* from = row + run.first * c;
        const int64_t count = (run.last - run.first) * c;
        for (int64_t j = 0; j < count; ++j) to[j] += FloatOf(from[j]);
      }
    }
  }
  Bf16* to = x + sample * pixels * c;
  for (int64_t j = 0; j < pixels * c; ++j) Round(sums[j], &to[j]);
}

}  // namespace ip2p::kernels
