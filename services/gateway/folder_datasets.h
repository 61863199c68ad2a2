// The datasets of a folder, read where they are.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "services/gateway/dataset_source.h"

namespace ip2p::gateway {

class FolderDatasets final : public DatasetSource {
 public:
  explicit FolderDatasets(std::string folder) : folder_(std::move(folder)) {}

  absl::StatusOr<std::vector<std::string>> List() override;
  absl::StatusOr<std::string> FolderOf(const std::string& name) override;
  absl::Status Update(const std::string&, const Grew&) override { return absl::OkStatus(); }
  void Stop() override {}

 private:
  const std::string folder_;
};

}  // namespace ip2p::gateway
