// The subset of zip that torch.save writes: stored entries, zip64, no comment. Anything else is refused, and
// what the central directory says must be what the local headers say. Nothing is unpacked. Thread-safe: plain
// functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace ip2p {

struct ZipEntry {
  std::string name;  // relative, without "..", unique
  std::span<const std::byte> data;
  uint32_t crc32 = 0;  // as the file claims; not checked here, because that reads every byte
};

// `label` stands for the file in messages. Errors: DATA_LOSS for a damaged or lying archive, INVALID_ARGUMENT
// for one that uses what is refused on purpose (compression, encryption, names that leave the archive).
absl::StatusOr<std::vector<ZipEntry>> ReadStoredZip(std::span<const std::byte> bytes,
                                                    const std::string& label);

}  // namespace ip2p
