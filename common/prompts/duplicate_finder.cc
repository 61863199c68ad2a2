#include "common/prompts/duplicate_finder.h"

#include <algorithm>
#include <compare>
#include <span>
#include <utility>
#include <vector>

#include "common/base/random.h"
#include "common/base/status_macros.h"

namespace ip2p {
namespace {

constexpr uint64_t kMaxIndex = (uint64_t{1} << 40) - 1;

// 88 bits of the hash, then the index: equal texts stand together when sorted, the lowest index first. Among
// 10^9 texts, two that differ look alike with a probability of 2 in 10^9.
struct Entry {
  uint64_t hash;
  uint64_t hash_and_index;
  friend auto operator<=>(const Entry&, const Entry&) = default;  // NOLINT(modernize-use-nullptr)

  bool SameText(const Entry& other) const {
    return hash == other.hash && (hash_and_index ^ other.hash_and_index) <= kMaxIndex;
  }
};
static_assert(sizeof(Entry) == 16);

uint64_t RandomUint64() { return uint64_t{RandomUint32()} << 32 | RandomUint32(); }

}  // namespace

absl::StatusOr<DuplicateFinder> DuplicateFinder::Create(const std::string& temp_folder) {
  IP2P_ASSIGN_OR_RETURN(TempFile file, TempFile::Create(temp_folder));
  return DuplicateFinder(std::move(file), {RandomUint64(), RandomUint64()});
}

absl::Status DuplicateFinder::Add(int64_t index, std::string_view text) {
  if (index < 0 || static_cast<uint64_t>(index) > kMaxIndex) {
    return absl::InvalidArgumentError("there are too many texts; wants at most 2^40");
  }
  const Hash128 hash = HashText(text, key_);
  const Entry entry{hash.low, (hash.high & ~kMaxIndex) | static_cast<uint64_t>(index)};
  return file_.Append({reinterpret_cast<const char*>(&entry), sizeof entry});
}

absl::Status DuplicateFinder::Find(absl::FunctionRef<absl::Status(int64_t)> duplicate) {
  IP2P_RETURN_IF_ERROR(file_.Flush());
  std::vector<Entry> entries(static_cast<size_t>(file_.size()) / sizeof(Entry));
  IP2P_RETURN_IF_ERROR(file_.ReadAt(0, std::as_writable_bytes(std::span(entries))));
  std::sort(entries.begin(), entries.end());
  for (size_t i = 1; i < entries.size(); ++i) {
    if (!entries[i].SameText(entries[i - 1])) continue;
    IP2P_RETURN_IF_ERROR(duplicate(static_cast<int64_t>(entries[i].hash_and_index & kMaxIndex)));
  }
  return absl::OkStatus();
}

}  // namespace ip2p
