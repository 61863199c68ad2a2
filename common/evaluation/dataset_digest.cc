#include "common/evaluation/dataset_digest.h"

#include "common/base/sha256.h"
#include "common/base/status_macros.h"
#include "common/storage/read_file.h"

namespace ip2p {
namespace {

constexpr size_t kMaxIndexBytes = size_t{1} << 30;

}  // namespace

absl::StatusOr<std::string> DatasetDigest(const std::string& dataset) {
  absl::StatusOr<std::string> index = ReadFile(dataset + "/seeds.json", "seeds.json", kMaxIndexBytes);
  if (absl::IsNotFound(index.status()))
    index = ReadFile(dataset + "/index.json", "index.json", kMaxIndexBytes);
  IP2P_RETURN_IF_ERROR(index.status());
  return Sha256Hex(*index);
}

}  // namespace ip2p
