// The fused attention itself, over either machine that multiplies tiles (flash_amx.cc, flash_avx512.cc). No
// torch.
#pragma once

#include "common/model/kernels/flash_memory.h"
#include "common/model/kernels/flash_pack.h"
#include "common/model/kernels/flash_softmax.h"
#include "common/model/kernels/simd_math.h"

#if defined(__x86_64__)
#include <algorithm>
#include <cmath>
#include <limits>

namespace ip2p::kernels {

// |q| |k| bounds a score, so twice that bounds how far a score lies below the largest. Within Softmax's
// range, in powers of two, it needs no clamp.
constexpr float kTameBound = -Softmax::kLowest / 2;

// Attention of 32 queries of one head after another, a block of keys at a time: scores, weights, outputs.
// Machine has Multiply(const TileProduct&). (Running the three as streams through one another gains nothing
// on AMX: tile loads and stores are issued in the vector code's stead, and they are most of a product.)
template <typename Machine>
class FlashRun {
 public:
  IP2P_AMX_BF16 FlashRun(const FlashShape& shape, const FlashWorkspace& work)
      : shape_(shape),
        work_(work),
        scale_(static_cast<float>(1 / std::sqrt(static_cast<double>(shape.head_dim)))) {}

  IP2P_AMX_BF16 void StartHead(const FlashHead& head) {
    head_ = head;
    key_norm_ = PackKeysAndValues(shape_, head, work_);
  }

  // Queries first .. first + count - 1 of the head, at most kQueries.
  IP2P_AMX_BF16 void Run(int64_t first, int64_t count) {
    __m512 norms[kQueryTiles];
    PackQueries(shape_, head_, first, count, work_, norms);
    __mmask16 wild = 0;
    __m512 poison[kQueryTiles];  // 0, or NaN: what is not finite must not come out looking like a result
    for (int q = 0; q < kQueryTiles; ++q) {
      const __m512 bound = _mm512_mul_ps(norms[q], _mm512_set1_ps(key_norm_ * scale_ * kLog2E));
      wild |= _mm512_cmp_ps_mask(bound, _mm512_set1_ps(kTameBound), _CMP_NLE_UQ);
      poison[q] = _mm512_mul_ps(bound, _mm512_setzero_ps());
      largest_[q] = _mm512_set1_ps(-std::numeric_limits<float>::infinity());
    }
    for (int64_t tile = 0; tile < shape_.key_tiles(); tile += kBlockTiles) {
      const int64_t tiles = std::min<int64_t>(kBlockTiles, shape_.key_tiles() - tile);
      Scores(tile, tiles);
      RaiseLargest(tile);
      wild ? Weights<true>(tile, tiles) : Weights<false>(tile, tiles);
      Outputs(tile, tiles);
    }
    UnpackOutputs(shape_, head_, first, count, work_, poison);
  }

 private:
  static constexpr float kLog2E = 1.44269504f;

  // Raises each query's largest score to that of the block that starts at first_tile, and brings what was
  // summed under the old one down to the new.
  IP2P_AMX_BF16 void RaiseLargest(int64_t first_tile) {
    const int64_t keys = std::min<int64_t>(kBlockKeys, shape_.key_count - first_tile * kTile);
    __m512 fall[kQueryTiles];
    __mmask16 raised = 0;
    for (int q = 0; q < kQueryTiles; ++q) {
      const __m512 largest = LargestOf(work_.scores + q * kTileFloats, keys, largest_[q]);
      raised |= _mm512_cmp_ps_mask(largest, largest_[q], _CMP_NEQ_UQ);
      fall[q] = Exp(_mm512_mul_ps(_mm512_sub_ps(largest_[q], largest), _mm512_set1_ps(scale_)));
      largest_[q] = largest;
    }
    if (raised == 0 || first_tile == 0) return;
    for (int64_t row = 0; row < shape_.value_rows(); ++row) {
      float* sums = work_.outputs + row / kTile * (kQueryTiles * kTileFloats) + row % kTile * kTile;
      for (int q = 0; q < kQueryTiles; ++q, sums += kTileFloats) {
        _mm512_store_ps(sums, _mm512_mul_ps(_mm512_load_ps(sums), fall[q]));
      }
    }
  }

  // The largest of `keys` rows of scores and `start`, each query for itself.
  IP2P_AMX_BF16 static __m512 LargestOf(const float* scores, int64_t keys, __m512 start) {
    __m512 largest[4] = {start, start, start, start};  // four chains: a maximum takes four cycles
    for (; keys >= kTile; keys -= kTile, scores += kQueryTiles * kTileFloats) {
#pragma GCC unroll 16
      for (int key = 0; key < kTile; ++key) {
        largest[key % 4] = _mm512_max_ps(largest[key % 4], _mm512_load_ps(scores + key * kTile));
      }
    }
    for (int64_t key = 0; key < keys; ++key) {
      largest[0] = _mm512_max_ps(largest[0], _mm512_load_ps(scores + key * kTile));
    }
    return _mm512_max_ps(_mm512_max_ps(largest[0], largest[1]), _mm512_max_ps(largest[2], largest[3]));
  }

  IP2P_AMX_BF16 void Scores(int64_t first_tile, int64_t tiles) const {
    static_assert(kStep / kTile == kLefts);  // so that key tiles come in pairs
    for (int64_t tile = 0; tile < tiles; tile += kLefts) {
      Machine::Multiply({.left = work_.keys + (first_tile + tile) * shape_.depth_steps() * kTileBf16,
                         .right = work_.queries,
                         .sums = work_.scores + tile * (kQueryTiles * kTileFloats),
                         .lefts = kLefts,
                         .left_stride = shape_.depth_steps() * kTileBf16,
                         .step_stride = kTileBf16,
                         .steps = shape_.depth_steps(),
                         .last_pairs = (shape_.head_dim - 1) % kStep / 2 + 1});
    }
  }

  template <bool kWild>
  IP2P_AMX_BF16 void Weights(int64_t first_tile, int64_t tiles) const {
    const Softmax softmax(scale_ * kLog2E, largest_);
    for (int64_t tile = 0; tile < tiles; ++tile) {
      softmax.Tile<kWild>(work_.scores + tile * (kQueryTiles * kTileFloats),
                          shape_.key_count - (first_tile + tile) * kTile,
                          work_.weights + tile / 2 * (kQueryTiles * kTileBf16) + tile % 2 * (kTileBf16 / 2));
    }
  }

  IP2P_AMX_BF16 void Outputs(int64_t first_tile, int64_t tiles) const {
    const int64_t first_step = first_tile * kTile / kStep, value_tiles = shape_.value_tiles();
    for (int64_t tile = 0; tile < value_tiles; tile += kLefts) {
      const int64_t lefts = std::min<int64_t>(kLefts, value_tiles - tile);
      Machine::Multiply(
          {.left = work_.values + (first_step * value_tiles + tile) * kTileBf16,
           .right = work_.weights,
           .sums = work_.outputs + tile * (kQueryTiles * kTileFloats),
           .lefts = lefts,
           .left_stride = kTileBf16,
           .step_stride = value_tiles * kTileBf16,
           .steps = tiles * kTile / kStep,
           .last_rows = std::min<int64_t>(kTile, shape_.value_rows() - (tile + lefts - 1) * kTile),
           .accumulate = first_tile > 0});
    }
  }

  const FlashShape shape_;
  const FlashWorkspace work_;
  const float scale_;  // 1 / sqrt(d)
  FlashHead head_;
  float key_norm_ = 0;           // bounds the scores
  __m512 largest_[kQueryTiles];  // of the scores so far
};

// Tasks begin..end of a job, on this thread.
template <typename Machine>
IP2P_AMX_BF16 void RunFlashTasks(const FlashJob& job, int64_t begin, int64_t end) {
  const FlashMemory memory(job.shape);
  FlashRun<Machine> run(job.shape, memory.workspace());
  const int64_t per_head = job.tasks_per_head();
  for (int64_t task = begin; task < end; ++task) {
    if (task == begin || task % per_head == 0) run.StartHead(job.Head(task / per_head));
    const int64_t first = task % per_head * kQueries;
    run.Run(first, std::min<int64_t>(kQueries, job.query_count - first));
  }
}

}  // namespace ip2p::kernels
#endif
