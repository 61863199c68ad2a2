// A pack written where only whole objects can be: made in the cache, then copied.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "common/dataset/pack.h"

namespace ip2p {

// As PackDataset, with a URL as the output; index.json is written last. The cache needs room for the pack,
// which is removed from it at the end; an interrupted one is continued there. ALREADY_EXISTS: there is a
// finished pack.
absl::StatusOr<PackReport> PackToStore(const std::string& dataset, const std::string& url,
                                       const PackOptions& options);

}  // namespace ip2p
