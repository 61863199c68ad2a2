// A dataset as WebDataset shards and back, byte for byte (FORMAT.md).
//
// pairs-NNNNNN.tar are for training, a sample a pair: KEY.before.jpg, KEY.after.jpg, KEY.json;
// prompts-NNNNNN.tar hold everything else; index.json, written last, names the shards with their SHA-256.
// Equal datasets are equal shards.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace ip2p {

struct PackOptions {
  int64_t shard_bytes = 1'000'000'000;             // most, unless a single sample has more; at least 10240
  std::function<void(int64_t, int64_t)> progress;  // folders done, of all; may be null
};

struct PackReport {
  int64_t prompts = 0;
  int64_t pairs = 0;
  int64_t shards = 0;
  int64_t bytes = 0;
};

// Writes to `output`, which is made when there is none. A run that was killed is continued after its last
// whole shard. ALREADY_EXISTS: there is a finished pack. FAILED_PRECONDITION: an unfinished one of another
// dataset, of what this one was before, or of other options. INVALID_ARGUMENT: a folder's or seed's name that
// a key cannot hold, an image over kMaxImageBytes.
absl::StatusOr<PackReport> PackDataset(const std::string& dataset, const std::string& output,
                                       const PackOptions& options);

// Fills `dataset`; folders that are there stay as they are, so a killed run is continued. Each shard's
// SHA-256 is compared before anything is taken from it. DATA_LOSS names the shard that is damaged or missing.
absl::StatusOr<PackReport> UnpackDataset(const std::string& packed, const std::string& dataset,
                                         const std::function<void(int64_t, int64_t)>& progress);

}  // namespace ip2p
