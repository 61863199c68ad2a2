// The fused attention's two machines. Both give weights and sums the same rounding, not the same last bit. No
// torch.
#pragma once

#include "common/model/kernels/flash_layout.h"

namespace ip2p::kernels {

// Tasks begin..end of a job on this thread. Wants HasAmxBf16() and HasAvx512Bf16(); tasks may run on any
// threads at once.
void FlashAmx(const FlashJob& job, int64_t begin, int64_t end);
void FlashAvx512(const FlashJob& job, int64_t begin, int64_t end);

}  // namespace ip2p::kernels
