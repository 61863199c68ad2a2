// torch.save files (.ckpt, .pt, .bin) read as data: nothing in them is resolved, imported or run.
//
// zip.h finds the entries, pickle.h interprets data.pkl against an allow-list, and this part turns the result
// into tensor views of the mapped file. Thread-safe: plain functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "common/checkpoint/tensor.h"

namespace ip2p {

struct TorchFile {
  TensorMap tensors;                   // of "state_dict" where there is one, else of the top-level dictionary
  std::optional<int64_t> global_step;  // beside "state_dict"
};

// `name` stands for the file in messages. Errors: those of MappedFile::Open; INVALID_ARGUMENT for a pickle
// that asks for anything beyond data ("os.system is not allowed"), for legacy formats and for protocols below
// 2; DATA_LOSS for a damaged container, pickle or tensor.
absl::StatusOr<TorchFile> ReadTorchFile(const std::string& path, const std::string& name);
absl::StatusOr<TorchFile> ParseTorchFile(std::span<const std::byte> bytes, std::shared_ptr<const void> owner,
                                         const std::string& name);

}  // namespace ip2p
