// libFuzzer: the safetensors reader on bytes from anyone.
#include "common/checkpoint/safetensors.h"
#include "tests/fuzz/checkpoint_fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto file = ip2p::ParseSafetensors(ip2p::FuzzBytes(data, size), nullptr, "f");
  if (!file.ok()) {
    ip2p::CheckRefusal(file.status());
    return 0;
  }
  ip2p::CheckTensorMap(file->tensors);
  size_t total = 0;
  for (const auto& [name, view] : file->tensors) total += view.data.size();
  ip2p::Check(total < size);  // each byte belongs to one tensor at most
  return 0;
}
