// The safetensors container: eight bytes of header length, a JSON header, tensor bytes (FORMAT.md says what
// is accepted). Reading maps the file and parses the header only. Thread-safe: plain functions.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/checkpoint/tensor.h"

namespace ip2p {

using Metadata = std::map<std::string, std::string>;

struct SafetensorsFile {
  TensorMap tensors;
  Metadata metadata;  // "__metadata__"
};

// `name` stands for the file in messages. Errors: those of MappedFile::Open; DATA_LOSS for anything that is
// not exactly one well-formed file: lengths, JSON, duplicate keys, overlaps, holes, trailing bytes, sizes,
// types.
absl::StatusOr<SafetensorsFile> ReadSafetensors(const std::string& path, const std::string& name);

// The same from memory; views keep `owner`.
absl::StatusOr<SafetensorsFile> ParseSafetensors(std::span<const std::byte> bytes,
                                                 std::shared_ptr<const void> owner, const std::string& name);

// Publishes atomically. The same input gives the same bytes: tensors are laid out by descending element size,
// then by name, as the safetensors library does, so that every tensor is aligned to its element.
absl::Status WriteSafetensors(const std::string& path, const TensorMap& tensors, const Metadata& metadata);

}  // namespace ip2p
