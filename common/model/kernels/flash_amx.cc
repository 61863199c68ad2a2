// Fused attention on AMX tiles (Sapphire Rapids and later).
#include <atomic>

#include "common/model/kernels/flash.h"
#include "common/model/kernels/flash_run.h"

namespace ip2p::kernels {

#if defined(__x86_64__)
namespace {

constexpr int kRowBytes = 64;

// Every tile register at its full size, for the life of this object, on this thread.
class TileRegisters {
 public:
  IP2P_AMX_BF16 TileRegisters() {
    struct alignas(64) {  // "Tile configuration", Intel SDM volume 1, 18.3
      uint8_t palette = 1, start_row = 0, reserved[14] = {};
      uint16_t bytes_per_row[16] = {};
      uint8_t rows[16] = {};
    } config;
    for (int i = 0; i < 8; ++i) {
      config.bytes_per_row[i] = kRowBytes;
      config.rows[i] = kTile;
    }
    _tile_loadconfig(&config);
  }
  TileRegisters(const TileRegisters&) = delete;
  TileRegisters& operator=(const TileRegisters&) = delete;
  IP2P_AMX_BF16 ~TileRegisters() { _tile_release(); }
};

// The compiler does not know that tile loads read memory.
inline void StoresFirst() { std::atomic_signal_fence(std::memory_order_seq_cst); }

struct AmxMachine {
  IP2P_AMX_BF16 static void Multiply(const TileProduct& p) {
    static_assert(kQueryTiles == 2 && kLefts == 2);
    StoresFirst();
    p.lefts == 2 ? MultiplyTwo(p) : MultiplyOne(p);
  }

 private:
  // Registers 0 to 3: sums; 4, 5: left; 6, 7: right.
  IP2P_AMX_BF16 static inline void MultiplyTwo(const TileProduct& p) {
    if (p.accumulate) {
      _tile_loadd(0, p.sums, kRowBytes);
      _tile_loadd(1, p.sums + kTileFloats, kRowBytes);
      _tile_loadd(2, p.sums + 2 * kTileFloats, kRowBytes);
      _tile_loadd(3, p.sums + 3 * kTileFloats, kRowBytes);
    } else {
      _tile_zero(0);
      _tile_zero(1);
      _tile_zero(2);
      _tile_zero(3);
    }
    const Bf16* left = p.left;
    const Bf16* right = p.right;
    for (int64_t step = 0; step < p.steps; ++step, left += p.step_stride, right += kQueryTiles * kTileBf16) {
      _tile_loadd(4, left, kRowBytes);
      _tile_loadd(6, right, kRowBytes);
      _tile_loadd(7, right + kTileBf16, kRowBytes);
      _tile_loadd(5, left + p.left_stride, kRowBytes);
      _tile_dpbf16ps(0, 4, 6);
      _tile_dpbf16ps(1, 4, 7);
      _tile_dpbf16ps(2, 5, 6);
      _tile_dpbf16ps(3, 5, 7);
    }
    _tile_stored(0, p.sums, kRowBytes);
    _tile_stored(1, p.sums + kTileFloats, kRowBytes);
    _tile_stored(2, p.sums + 2 * kTileFloats, kRowBytes);
    _tile_stored(3, p.sums + 3 * kTileFloats, kRowBytes);
  }

  // Registers 0, 1: sums; 4: left; 6, 7: right.
  IP2P_AMX_BF16 static inline void MultiplyOne(const TileProduct& p) {
    if (p.accumulate) {
      _tile_loadd(0, p.sums, kRowBytes);
      _tile_loadd(1, p.sums + kTileFloats, kRowBytes);
    } else {
      _tile_zero(0);
      _tile_zero(1);
    }
    const Bf16* left = p.left;
    const Bf16* right = p.right;
    for (int64_t step = 0; step < p.steps; ++step, left += p.step_stride, right += kQueryTiles * kTileBf16) {
      _tile_loadd(4, left, kRowBytes);
      _tile_loadd(6, right, kRowBytes);
      _tile_loadd(7, right + kTileBf16, kRowBytes);
      _tile_dpbf16ps(0, 4, 6);
      _tile_dpbf16ps(1, 4, 7);
    }
    _tile_stored(0, p.sums, kRowBytes);
    _tile_stored(1, p.sums + kTileFloats, kRowBytes);
  }
};

}  // namespace

IP2P_AMX_BF16 void FlashAmx(const FlashJob& job, int64_t begin, int64_t end) {
  const TileRegisters registers;
  RunFlashTasks<AmxMachine>(job, begin, end);
}

#else

void FlashAmx(const FlashJob&, int64_t, int64_t) {}  // HasAmxBf16() is false here

#endif

}  // namespace ip2p::kernels
