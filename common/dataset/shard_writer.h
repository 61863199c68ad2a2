// Shards of a pack, one after the other, each published whole; afterwards what was done is told to a progress
// file, so that a killed run goes on from there. One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/sha256.h"
#include "common/dataset/pack_index.h"
#include "common/storage/atomic_file.h"
#include "common/storage/tar.h"

namespace ip2p {

// A member of an archive.
using Member = std::pair<std::string, std::string>;  // name, contents

class ShardWriter {
 public:
  // "FOLDER/PREFIX-000003.tar" is the next when `done` holds three. `published` is told each whole shard.
  ShardWriter(std::string folder, std::string prefix, int64_t shard_bytes, std::vector<Shard> done,
              std::function<absl::Status(const std::vector<Shard>&)> published);

  // Adds what belongs together; it never spans two shards.
  absl::Status Add(const std::vector<Member>& members);
  // Publishes the last one. Once.
  absl::Status Finish();
  const std::vector<Shard>& shards() const { return shards_; }  // published
  // Samples that are in published shards; those of `done` are the first of them.
  int64_t published_samples() const { return published_samples_; }

 private:
  struct Open {
    AtomicFile file;
    Sha256 digest;
    int64_t samples = 0;
    int64_t bytes = 0;
  };
  absl::Status Start();
  absl::Status Close();
  absl::Status Put(std::string_view bytes);

  const std::string folder_;
  const std::string prefix_;
  const int64_t shard_bytes_;
  const std::function<absl::Status(const std::vector<Shard>&)> published_;
  std::vector<Shard> shards_;
  int64_t published_samples_ = 0;
  std::optional<Open> open_;
};

}  // namespace ip2p
