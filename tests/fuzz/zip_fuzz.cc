// libFuzzer: the zip reader, and the torch file reader behind it, on bytes from anyone.
#include "common/checkpoint/ckpt.h"
#include "common/checkpoint/zip.h"
#include "tests/fuzz/checkpoint_fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::span<const std::byte> bytes = ip2p::FuzzBytes(data, size);
  const auto entries = ip2p::ReadStoredZip(bytes, "f");
  if (entries.ok()) {
    size_t total = 0;
    for (const ip2p::ZipEntry& entry : *entries) {
      ip2p::Check(!entry.name.starts_with("/") && ("/" + entry.name + "/").find("/../") == std::string::npos);
      ip2p::CheckReadable(entry.data);
      total += entry.data.size();
    }
    ip2p::Check(total <= size);  // no two overlap
  } else {
    ip2p::CheckRefusal(entries.status());
  }
  const auto file = ip2p::ParseTorchFile(bytes, nullptr, "f");
  if (file.ok()) {
    ip2p::CheckTensorMap(file->tensors);
  } else {
    ip2p::CheckRefusal(file.status());
  }
  return 0;
}
