// Finds texts that came before, among up to 2^40 of them: 16 bytes each in a file without a name, and as many
// in memory while Find sorts. One thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/hash128.h"
#include "common/storage/temp_file.h"

namespace ip2p {

class DuplicateFinder {
 public:
  static absl::StatusOr<DuplicateFinder> Create(const std::string& temp_folder);

  // `index` in 0..2^40-1.
  absl::Status Add(int64_t index, std::string_view text);
  // Calls `duplicate` for every index but the lowest of each text, in no order; ends with its first error.
  absl::Status Find(absl::FunctionRef<absl::Status(int64_t index)> duplicate);

 private:
  DuplicateFinder(TempFile file, const Hash128& key) : file_(std::move(file)), key_(key) {}

  TempFile file_;
  Hash128 key_;  // random: nobody can make captions that collide
};

}  // namespace ip2p
