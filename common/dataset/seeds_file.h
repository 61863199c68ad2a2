// seeds.json, the index that the original loader starts from: [["0000000", ["17", "4"]], ...].
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "common/dataset/sample.h"

namespace ip2p {

struct SeedsEntry {
  std::string folder;
  std::vector<std::string> seeds;  // as the file names say
  friend bool operator==(const SeedsEntry&, const SeedsEntry&) = default;
};

// As Python's json.dump writes it, byte for byte.
std::string SeedsText(const std::vector<SeedsEntry>& entries);

struct ParsedSeeds {
  std::vector<SeedsEntry> entries;
  int64_t skipped = 0;  // folders and seeds whose name holds a path
};

// Seeds may be numbers, too. DATA_LOSS when it is no such list.
absl::StatusOr<ParsedSeeds> ParseSeeds(std::string_view text);

struct PreparedSeeds {
  int64_t folders = 0;
  int64_t with_pairs = 0;
  int64_t pairs = 0;
  int64_t below = 0;    // pairs that do not reach the thresholds, left out
  int64_t halves = 0;   // images whose other half is missing, left out
  int64_t outside = 0;  // links that leave the dataset, left out
};

inline constexpr ClipThresholds kNoThresholds{.clip = -1, .dir = -1, .img = -1};

// Publishes DATASET/seeds.json: what prepare_dataset.py of the original makes, with half pairs left out, and
// pairs whose scores are there and do not reach the thresholds. Errors: of DatasetReader and the disk.
absl::StatusOr<PreparedSeeds> WriteSeedsFile(const std::string& dataset,
                                             const ClipThresholds& thresholds = kNoThresholds);

}  // namespace ip2p
