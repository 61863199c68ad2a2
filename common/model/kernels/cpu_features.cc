// See cpu_features.h.
#include "common/model/kernels/cpu_features.h"

#if defined(__x86_64__) && defined(__linux__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace ip2p::kernels {
namespace {

// CPUID leaf 7; the compiler's own table of names lacks AMX in the versions that build this.
constexpr unsigned kAvx512Bf16Bit = 1u << 5;  // subleaf 1, EAX
constexpr unsigned kAmxBf16Bit = 1u << 22;    // subleaf 0, EDX
constexpr unsigned kAmxTileBit = 1u << 24;    // subleaf 0, EDX

// Linux gives tile registers only to processes that ask (Documentation/arch/x86/xstate.rst).
constexpr long kRequestFeature = 0x1023;
constexpr long kTileData = 18;

bool DetectAvx512Bf16() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  return HasAvx512() && __get_cpuid_count(7, 1, &a, &b, &c, &d) != 0 && (a & kAvx512Bf16Bit) != 0;
}

bool DetectAmxBf16() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (!HasAvx512Bf16() || __get_cpuid_count(7, 0, &a, &b, &c, &d) == 0) return false;
  if ((d & kAmxBf16Bit) == 0 || (d & kAmxTileBit) == 0) return false;
  return syscall(SYS_arch_prctl, kRequestFeature, kTileData) == 0;
}

}  // namespace

bool HasAvx512() {
  // These answers include that the system saves the registers.
  static const bool has = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                          __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  return has;
}

bool HasAvx512Bf16() {
  static const bool has = DetectAvx512Bf16();
  return has;
}

bool HasAmxBf16() {
  static const bool has = DetectAmxBf16();
  return has;
}

}  // namespace ip2p::kernels

#else

namespace ip2p::kernels {

bool HasAvx512() { return false; }
bool HasAvx512Bf16() { return false; }
bool HasAmxBf16() { return false; }

}  // namespace ip2p::kernels

#endif
