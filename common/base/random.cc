// getentropy(3), which fails only where the kernel has none; then nothing that needs secrecy may go on.
#include "common/base/random.h"

#include <unistd.h>

#include <cstdlib>

#include "absl/strings/ascii.h"
#include "absl/strings/str_format.h"

namespace ip2p {
namespace {

void Fill(void* bytes, size_t size) {
  if (getentropy(bytes, size) != 0) std::abort();
}

}  // namespace

uint32_t RandomUint32() {
  uint32_t value = 0;
  Fill(&value, sizeof(value));
  return value;
}

std::string RandomRequestId() {
  uint64_t halves[2] = {};
  Fill(halves, sizeof(halves));
  return absl::StrFormat("%016x%016x", halves[0], halves[1]);
}

bool IsRequestId(std::string_view text) {
  if (text.empty() || text.size() > 128) return false;
  for (const char c : text) {
    if (!absl::ascii_isalnum(c) && c != '.' && c != '_' && c != ':' && c != '-') return false;
  }
  return true;
}

}  // namespace ip2p
