// How the fused attention holds one head in memory. No torch.
//
// Everything is computed transposed, with queries along the vector lanes: S' = K Q' (keys x queries), then
// O' = V' P' (head dimension x queries). So the softmax is vertical: its maxima and sums need no step across
// lanes, and P' comes out in the pairwise layout that the next product wants. All operands are tiles of 1
// KiB:
//   left (K, V'):    16 rows x 32 bf16
//   right (Q', P'):  16 pairs of rows x 16 queries x 2 bf16
//   sums (S', O'):   16 rows x 16 queries, float32
#pragma once

#include <cstdint>

#include "common/model/kernels/simd.h"

namespace ip2p::kernels {

constexpr int kTile = 16;         // rows and columns of a sum
constexpr int kStep = 32;         // depth of one tile product
constexpr int kTileBf16 = 512;    // elements of an operand tile
constexpr int kTileFloats = 256;  // elements of a tile of sums
constexpr int kQueryTiles = 2;    // each loaded key or value tile meets this many tiles of queries
constexpr int kQueries = kQueryTiles * kTile;
constexpr int kBlockKeys = 128;  // keys between two visits of the output sums
constexpr int kBlockTiles = kBlockKeys / kTile;
constexpr int kBlockSteps = kBlockKeys / kStep;

constexpr int64_t CeilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

struct FlashShape {
  int64_t head_dim = 0;
  int64_t key_count = 0;
  int64_t value_sets = 1;  // values that one map of weights is applied to

  int64_t depth_steps() const { return CeilDiv(head_dim, kStep); }
  // Of V': the first set's rows, then a row of ones, which sums the weights; every further set starts a tile.
  int64_t set_tiles(int64_t set) const { return CeilDiv(set == 0 ? head_dim + 1 : head_dim, kTile); }
  int64_t first_tile(int64_t set) const { return set == 0 ? 0 : set_tiles(0) + (set - 1) * set_tiles(1); }
  int64_t value_tiles() const { return first_tile(value_sets); }
  int64_t value_rows() const {
    return value_sets == 1 ? head_dim + 1 : first_tile(value_sets - 1) * kTile + head_dim;
  }
  int64_t key_steps() const { return CeilDiv(key_count, kStep); }
  int64_t key_tiles() const { return key_steps() * (kStep / kTile); }
};

// One head of one sample: rows of head_dim consecutive elements, `stride` elements apart.
struct FlashHead {
  const Bf16* q = nullptr;
  const Bf16* k = nullptr;
  const Bf16* v = nullptr;
  Bf16* out = nullptr;
  int64_t q_stride = 0, k_stride = 0, v_stride = 0, out_stride = 0;
  int64_t v_set_stride = 0, out_set_stride = 0;  // from one set of values, and of results, to the next
};

// Attention of every head of every sample. Task i is 32 queries: head after head, so that a head's keys are
// packed once.
struct FlashJob {
  FlashShape shape;
  FlashHead first;  // head 0 of sample 0; head h lies h * head_dim elements further in every tensor
  int64_t heads = 0, samples = 0, query_count = 0;
  int64_t q_sample_stride = 0, k_sample_stride = 0, v_sample_stride = 0, out_sample_stride = 0;

  int64_t tasks_per_head() const { return CeilDiv(query_count, kQueries); }
  int64_t tasks() const { return samples * heads * tasks_per_head(); }
  FlashHead Head(int64_t index) const {
    const int64_t sample = index / heads, column = index % heads * shape.head_dim;
    FlashHead head = first;
    head.q += sample * q_sample_stride + column;
    head.k += sample * k_sample_stride + column;
    head.v += sample * v_sample_stride + column;
    head.out += sample * out_sample_stride + column;
    return head;
  }
};

// One or two left tiles times right tiles: sums [lefts][kQueryTiles] = or += over `steps` steps of depth.
struct TileProduct {
  const Bf16* left = nullptr;   // tiles step_stride elements apart from step to step
  const Bf16* right = nullptr;  // [steps][kQueryTiles]
  float* sums = nullptr;
  int64_t lefts = 1;
  int64_t left_stride = 0;  // elements from the first left tile to the second
  int64_t step_stride = 0;
  int64_t steps = 0;
  int64_t last_pairs = kTile;  // of the last step, the pairs of rows that are not zero
  int64_t last_rows = kTile;   // of the last left tile, the rows that anybody reads
  bool accumulate = false;
};
constexpr int kLefts = 2;

// Memory of one thread, 64-aligned; keys and values last for one head.
struct FlashWorkspace {
  Bf16* keys = nullptr;      // [key_tiles][depth_steps] left tiles
  Bf16* values = nullptr;    // [key_steps][value_tiles] left tiles
  Bf16* queries = nullptr;   // [depth_steps][kQueryTiles] right tiles
  Bf16* weights = nullptr;   // [kBlockSteps][kQueryTiles] right tiles
  float* scores = nullptr;   // [kBlockTiles][kQueryTiles] tiles of sums
  float* outputs = nullptr;  // [value_tiles][kQueryTiles] tiles of sums
};

}  // namespace ip2p::kernels
