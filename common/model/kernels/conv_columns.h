// Convolutions as matrix products: every output pixel's inputs side by side in a row, and gradients of such
// rows back on their pixels. bf16, channels_last. No torch; any thread.
#pragma once

#include <cstdint>

#include "common/model/kernels/bf16.h"

namespace ip2p::kernels {

struct ConvShape {
  int64_t samples = 0, channels = 0;
  int64_t height = 0, width = 0;          // of the input
  int64_t out_height = 0, out_width = 0;  // of the output
  int64_t kernel = 1, stride = 1, padding = 0;

  int64_t rows() const { return samples * out_height * out_width; }
  int64_t columns() const { return kernel * kernel * channels; }
  bool plain() const { return kernel == 1 && stride == 1 && padding == 0; }  // the rows are the pixels
};

// Rows begin..end-1 of [rows,kernel,kernel,channels]; what lies outside of the map is 0.
void GatherColumns(const ConvShape& shape, const Bf16* x, int64_t begin, int64_t end, Bf16* columns);

// One sample's rows of gradients added up on its pixels, in float32 and rounded once. `sums`: height x width
// x channels floats to work in.
void ScatterColumns(const ConvShape& shape, int64_t sample, const Bf16* columns, float* sums, Bf16* x);

}  // namespace ip2p::kernels
