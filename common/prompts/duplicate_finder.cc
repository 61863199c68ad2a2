#include "common/prompts/duplicate_finder.h"

#include <algorithm>
#include <span>
#include <tuple>
#include <utility>
#include <vector>

#include "common/base/random.h"
#include "common/base/status_macros.h"

namespace ip2p {
namespace {

struct Entry {
  Hash128 hash;
  int64_t index;
};

uint64_t RandomUint64() { return uint64_t{RandomUint32()} << 32 | RandomUint32(); }

}  // namespace

absl::StatusOr<DuplicateFinder> DuplicateFinder::Create(const std::string& temp_folder) {
  IP2P_ASSIGN_OR_RETURN(TempFile file, TempFile::Create(temp_folder));
  return DuplicateFinder(std::move(file), {RandomUint64(), RandomUint64()});
}

absl::Status DuplicateFinder::Add(int64_t index, std::string_view text) {
  const Entry entry{HashText(text, key_), index};
  return file_.Append({reinterpret_cast<const char*>(&entry), sizeof entry});
}

absl::Status DuplicateFinder::Find(absl::FunctionRef<absl::Status(int64_t)> duplicate) {
  IP2P_RETURN_IF_ERROR(file_.Flush());
  std::vector<Entry> entries(static_cast<size_t>(file_.size()) / sizeof(Entry));
  IP2P_RETURN_IF_ERROR(file_.ReadAt(0, std::as_writable_bytes(std::span(entries))));
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::tie(a.hash, a.index) < std::tie(b.hash, b.index);
  });
  for (size_t i = 1; i < entries.size(); ++i) {
    if (entries[i].hash == entries[i - 1].hash) IP2P_RETURN_IF_ERROR(duplicate(entries[i].index));
  }
  return absl::OkStatus();
}

}  // namespace ip2p
