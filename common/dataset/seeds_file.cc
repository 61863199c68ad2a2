#include "common/dataset/seeds_file.h"

#include <unistd.h>

#include <filesystem>
#include <set>
#include <system_error>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/base/json.h"
#include "common/base/status_macros.h"
#include "common/dataset/dataset_reader.h"
#include "common/dataset/partition_lock.h"
#include "common/storage/atomic_file.h"

namespace ip2p {
namespace {

namespace fs = std::filesystem;

// As Python: ASCII only, what is no UTF-8 replaced.
std::string Quoted(const std::string& text) {
  return nlohmann::json(text).dump(-1, ' ', /*ensure_ascii=*/true, nlohmann::json::error_handler_t::replace);
}

std::string EntryText(const SeedsEntry& entry) {
  std::string text = absl::StrCat("[", Quoted(entry.folder), ", [");
  for (size_t i = 0; i < entry.seeds.size(); ++i) {
    absl::StrAppend(&text, i == 0 ? "" : ", ", Quoted(entry.seeds[i]));
  }
  return text + "]]";
}

absl::Status NoList() {
  return absl::DataLossError(
      "seeds.json is no list of folders with their seeds; make it again by "
      "`ip2p dataset prepare`");
}

absl::StatusOr<SeedsEntry> ParseEntry(const nlohmann::json& value, int64_t& skipped) {
  if (!value.is_array() || value.size() != 2 || !value[0].is_string() || !value[1].is_array()) {
    return NoList();
  }
  SeedsEntry entry{.folder = value[0].get<std::string>()};
  for (const nlohmann::json& seed : value[1]) {
    if (!seed.is_string() && !seed.is_number_integer()) return NoList();
    std::string name = seed.is_string() ? seed.get<std::string>() : seed.dump();
    if (IsPlainName(name)) {
      entry.seeds.push_back(std::move(name));
    } else {
      ++skipped;
    }
  }
  return entry;
}

// Takes the pairs that are known not to reach the thresholds away; their number.
size_t EraseBelow(PromptRecord& record, const ClipThresholds& thresholds) {
  std::set<std::string> below;
  for (const Sample& sample : record.samples) {
    if (sample.scores && Judge(*sample.scores, thresholds) != SampleVerdict::kPassed)
      below.insert(absl::StrCat(sample.seed));
  }
  return std::erase_if(record.pairs, [&below](const std::string& seed) { return below.contains(seed); });
}

// What killed writers left. Only under the lock: nobody else's is at work then.
void RemoveStaleSeeds(const std::string& dataset) {
  std::vector<fs::path> stale;
  std::error_code ignored;
  for (fs::directory_iterator it(dataset, ignored), end; !ignored && it != end; it.increment(ignored)) {
    if (it->path().filename().native().starts_with(".tmp-seeds.json-")) stale.push_back(it->path());
  }
  for (const fs::path& path : stale) fs::remove(path, ignored);
}

}  // namespace

std::string SeedsText(const std::vector<SeedsEntry>& entries) {
  std::string text = "[";
  for (size_t i = 0; i < entries.size(); ++i) {
    absl::StrAppend(&text, i == 0 ? "" : ", ", EntryText(entries[i]));
  }
  return text + "]";
}

absl::StatusOr<ParsedSeeds> ParseSeeds(std::string_view text) {
  constexpr int kDepth = 3;
  bool too_deep = false;
  const auto watch = [&too_deep](int depth, nlohmann::json::parse_event_t, nlohmann::json&) {
    too_deep = too_deep || depth > kDepth;
    return !too_deep;
  };
  const nlohmann::json list =
      nlohmann::json::parse(text.begin(), text.end(), watch, /*allow_exceptions=*/false);
  if (too_deep || !list.is_array()) return NoList();
  ParsedSeeds parsed;
  for (const nlohmann::json& value : list) {
    IP2P_ASSIGN_OR_RETURN(SeedsEntry entry, ParseEntry(value, parsed.skipped));
    if (IsPlainName(entry.folder)) {
      parsed.entries.push_back(std::move(entry));
    } else {
      ++parsed.skipped;
    }
  }
  return parsed;
}

absl::StatusOr<PreparedSeeds> WriteSeedsFile(const std::string& dataset, const ClipThresholds& thresholds) {
  IP2P_ASSIGN_OR_RETURN(const DatasetReader reader, DatasetReader::Open(dataset));
  IP2P_ASSIGN_OR_RETURN(const int lock, LockWhole(dataset));
  const absl::Cleanup unlock = [lock] { ::close(lock); };
  RemoveStaleSeeds(dataset);
  IP2P_ASSIGN_OR_RETURN(AtomicFile file, AtomicFile::Create(absl::StrCat(dataset, "/seeds.json")));
  PreparedSeeds prepared{.outside = static_cast<int64_t>(reader.outside().size())};
  IP2P_RETURN_IF_ERROR(file.Write("["));
  for (const std::string& folder : reader.folders()) {
    IP2P_ASSIGN_OR_RETURN(PromptRecord record, reader.ReadPrompt(folder));
    ++prepared.folders;
    prepared.halves += static_cast<int64_t>(record.halves.size());
    prepared.outside += static_cast<int64_t>(record.outside.size());
    prepared.below += static_cast<int64_t>(EraseBelow(record, thresholds));
    if (record.pairs.empty()) continue;
    prepared.pairs += static_cast<int64_t>(record.pairs.size());
    const SeedsEntry entry{.folder = folder, .seeds = std::move(record.pairs)};
    const std::string text = EntryText(entry);
    IP2P_RETURN_IF_ERROR(file.Write(prepared.with_pairs == 0 ? text : ", " + text));
    ++prepared.with_pairs;
  }
  IP2P_RETURN_IF_ERROR(file.Write("]"));
  IP2P_RETURN_IF_ERROR(file.Publish());
  return prepared;
}

}  // namespace ip2p
