// The element-wise middle of attention's backward pass, on AVX-512: run it only with HasAvx512(). No torch.
#pragma once

#include <cstdint>

#include "common/model/kernels/bf16.h"

namespace ip2p::kernels {

constexpr int64_t kTileQueries = 64;

// `rows` keys (an even number) against kTileQueries queries.
struct AttentionTile {
  int64_t rows = 0;
  float scale = 1;
  const float* scores = nullptr;          // [rows,kTileQueries], before scaling
  const float* value_products = nullptr;  // the same shape: v . gradient of the output
  const float* log_sums = nullptr;        // of a query's scaled scores; infinity: no query
  const float* products = nullptr;        // a query's output . its gradient
  Bf16* shares = nullptr;                 // out: softmax
  Bf16* gradients = nullptr;              // out: of the scaled scores
  Bf16* gradient_pairs = nullptr;         // out: the same, rows 2i and 2i+1 element by element
};

void DifferentiateTile(const AttentionTile& tile);

// [rows,width] with a stride -> [width/2][rows][2], pairs of columns: a matrix's transpose as the matrix
// units take their second operand.
void PairColumns(const Bf16* from, int64_t rows, int64_t width, int64_t stride, Bf16* to);
// [rows,width] with a stride -> [rows/2][width][2], pairs of rows; an odd last row is paired with zeros.
void PairRows(const Bf16* from, int64_t rows, int64_t width, int64_t stride, Bf16* to);

}  // namespace ip2p::kernels
