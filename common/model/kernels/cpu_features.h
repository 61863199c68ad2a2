// What this processor can run, asked once. No torch; thread-safe.
#pragma once

namespace ip2p::kernels {

bool HasAvx512();      // F, BW, DQ, VL: float32 and integer code on 512-bit registers
bool HasAvx512Bf16();  // and bf16 dot products
bool HasAmxBf16();     // and bf16 tiles, which the system lets this process use (asked for on the first call)

}  // namespace ip2p::kernels

// For functions that run only behind the answers above. The files are compiled for any x86-64; these
// functions are not.
#if defined(__x86_64__)
#define IP2P_AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl")))
#define IP2P_AVX512_BF16 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")))
#define IP2P_AMX_BF16 \
  __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,amx-tile,amx-bf16")))
#endif
