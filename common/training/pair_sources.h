// Pairs by prompt, from a dataset folder or a pack. Internal to this folder. Get on any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/training/example_source.h"

namespace ip2p {

struct RawPair {
  std::string before, after;  // encoded
  std::string edit, caption, output;
};

class PairSource {
 public:
  virtual ~PairSource() = default;
  virtual int64_t size() const = 0;  // prompts with pairs
  virtual int64_t choices(int64_t prompt) const = 0;
  virtual absl::StatusOr<RawPair> Get(int64_t prompt, uint64_t choice) const = 0;
};

// FAILED_PRECONDITION, DATA_LOSS: seeds.json or index.json is damaged.
absl::StatusOr<std::unique_ptr<const PairSource>> OpenPairFolder(const std::string& path, Split split);
absl::StatusOr<std::unique_ptr<const PairSource>> OpenPairPack(const std::string& path, Split split);

}  // namespace ip2p
