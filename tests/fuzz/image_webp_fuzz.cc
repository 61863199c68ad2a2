// libFuzzer: the WebP decoder and metadata reader on bytes from anyone.
#include "tests/fuzz/image_fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  ip2p::FuzzDecode(data, size, ip2p::ImageFormat::kWebp);
  return 0;
}
