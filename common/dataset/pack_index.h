// index.json of a pack, with the keys of the `wids` index. Pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace ip2p {

struct Shard {
  std::string name;     // "pairs-000000.tar"
  int64_t samples = 0;  // pairs; or prompts, the first group of all being the dataset's own files
  int64_t bytes = 0;
  std::string sha256;
  friend bool operator==(const Shard&, const Shard&) = default;
};

struct PackIndex {
  std::vector<Shard> pairs;
  std::vector<Shard> prompts;
  int64_t n_pairs() const;
  int64_t n_prompts() const;
  friend bool operator==(const PackIndex&, const PackIndex&) = default;
};

std::string PackIndexText(const PackIndex& index);
// DATA_LOSS: no index of ours, or a shard's name that holds a path.
absl::StatusOr<PackIndex> ParsePackIndex(std::string_view text);

}  // namespace ip2p
