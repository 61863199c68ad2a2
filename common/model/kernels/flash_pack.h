// Brings a head's rows into the tiles of flash_layout.h, once a head (keys, values) or once 32 queries. No
// torch.
#pragma once

#include "common/model/kernels/flash_layout.h"

#if defined(__x86_64__)
namespace ip2p::kernels {

// Fills keys and values; what lies past the end becomes zeros. Returns the largest norm of a key; NaN when
// one is not finite.
IP2P_AVX512_BF16 float PackKeysAndValues(const FlashShape& shape, const FlashHead& head,
                                         const FlashWorkspace& work);

// Fills queries from `count` rows (at most kQueries) at `first`, and norms with each row's norm (zeros past
// the end).
IP2P_AVX512_BF16 void PackQueries(const FlashShape& shape, const FlashHead& head, int64_t first,
                                  int64_t count, const FlashWorkspace& work, __m512 (&norms)[kQueryTiles]);

// Writes outputs, each query's column over its sum of weights, as `count` rows of bf16 at `first`. poison is
// added to the result: 0, or NaN where it must not look like one.
IP2P_AVX512_BF16 void UnpackOutputs(const FlashShape& shape, const FlashHead& head, int64_t first,
                                    int64_t count, const FlashWorkspace& work,
                                    const __m512 (&poison)[kQueryTiles]);

}  // namespace ip2p::kernels
#endif
