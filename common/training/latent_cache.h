// What frozen networks make of every example, in a file without a name: gone with the process, in the page
// cache while there is room. Written once, then read from one thread at a time.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/storage/temp_file.h"

namespace ip2p {

class LatentCache {
 public:
  // Of one example; float32, any shapes, the same for all. An undefined tensor stays undefined.
  using Row = std::vector<torch::Tensor>;

  // `choices` of each index; with `mirrored` two rows for each of them.
  static absl::StatusOr<std::unique_ptr<LatentCache>> Create(const std::string& folder,
                                                             const std::vector<int64_t>& choices,
                                                             bool mirrored);

  // In the order of index, choice, mirrored; nothing for a damaged example. Errors: the disk's.
  absl::Status Append(const std::optional<Row>& row);
  // After the last.
  absl::Status Finish() { return file_.Flush(); }

  bool Has(int64_t index, int64_t choice) const;
  absl::StatusOr<Row> Read(int64_t index, int64_t choice, bool mirrored) const;
  int64_t bytes() const { return file_.size(); }

 private:
  LatentCache(TempFile file, std::vector<int64_t> first, int variants)
      : file_(std::move(file)), first_(std::move(first)), variants_(variants) {}
  int64_t RowOf(int64_t index, int64_t choice, bool mirrored) const;

  TempFile file_;
  const std::vector<int64_t> first_;  // row of each index's first choice, in choices
  const int variants_;                // rows a choice
  std::vector<int64_t> places_;       // of each row in the file; -1: damaged
  std::vector<std::vector<int64_t>> shapes_;
  std::vector<bool> defined_;
};

}  // namespace ip2p
