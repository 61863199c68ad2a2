// See latent_cache.h.
#include "common/training/latent_cache.h"

#include <span>
#include <utility>

#include "common/base/status_macros.h"

namespace ip2p {

absl::StatusOr<std::unique_ptr<LatentCache>> LatentCache::Create(const std::string& folder,
                                                                 const std::vector<int64_t>& choices,
                                                                 bool mirrored) {
  IP2P_ASSIGN_OR_RETURN(TempFile file, TempFile::Create(folder));
  std::vector<int64_t> first;
  int64_t next = 0;
  for (const int64_t count : choices) {
    first.push_back(next);
    next += count;
  }
  return std::unique_ptr<LatentCache>(new LatentCache(std::move(file), std::move(first), mirrored ? 2 : 1));
}

absl::Status LatentCache::Append(const std::optional<Row>& row) {
  if (!row.has_value()) {
    places_.push_back(-1);
    return absl::OkStatus();
  }
  places_.push_back(file_.size());
  const bool is_first = defined_.empty();
  for (const torch::Tensor& tensor : *row) {
    if (is_first) {
      defined_.push_back(tensor.defined());
      shapes_.push_back(tensor.defined() ? tensor.sizes().vec() : std::vector<int64_t>());
    }
    if (!tensor.defined()) continue;
    const torch::Tensor flat = tensor.to(torch::kCPU, torch::kFloat32).contiguous();
    IP2P_RETURN_IF_ERROR(
        file_.Append({static_cast<const char*>(flat.const_data_ptr()), static_cast<size_t>(flat.nbytes())}));
  }
  return absl::OkStatus();
}

int64_t LatentCache::RowOf(int64_t index, int64_t choice, bool mirrored) const {
  return (first_.at(index) + choice) * variants_ + (variants_ == 2 && mirrored ? 1 : 0);
}

bool LatentCache::Has(int64_t index, int64_t choice) const {
  return places_.at(RowOf(index, choice, false)) >= 0;
}

absl::StatusOr<LatentCache::Row> LatentCache::Read(int64_t index, int64_t choice, bool mirrored) const {
  int64_t place = places_.at(RowOf(index, choice, mirrored));
  Row row;
  for (size_t i = 0; i < defined_.size(); ++i) {
    torch::Tensor& tensor = row.emplace_back();
    if (!defined_[i]) continue;
    tensor = torch::empty(shapes_[i]);
    const std::span<std::byte> bytes(static_cast<std::byte*>(tensor.data_ptr()), tensor.nbytes());
    IP2P_RETURN_IF_ERROR(file_.ReadAt(place, bytes));
    place += static_cast<int64_t>(bytes.size());
  }
  return row;
}

}  // namespace ip2p
