// Limits of an edit request that server, client and engine share and that GetCapabilities tells.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ip2p {

inline constexpr size_t kMaxTextBytes = 4096;  // of an instruction or negative prompt
inline constexpr int kMaxSteps = 1000;
inline constexpr int kMaxResolution = 2048;      // px
inline constexpr double kMaxGuidance = 100;      // text or image guidance scale
inline constexpr int kMaxCount = 8;              // outputs a request
inline constexpr int kMaxPreviewEvery = 1000;    // steps
inline constexpr int kMaxMaskFeather = 64;       // px
inline constexpr int64_t kMaxSeed = 4294967295;  // 2^32 - 1

}  // namespace ip2p
