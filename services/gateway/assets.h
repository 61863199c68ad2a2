// The pages, as they were when this was built (embed_assets.cmake). Immutable.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "services/gateway/router.h"

namespace ip2p::gateway {

struct Asset {
  const char* name;  // "edit.js"
  std::string_view bytes;
};

// Generated.
const std::vector<Asset>& Assets();

// A route each, "/" among them. Browsers ask again each time and get 304 while nothing changed (ETag), so
// that a new version shows at once.
void AddAssetRoutes(Router& router);

// "text/css; charset=utf-8" for "style.css".
std::string TypeOf(std::string_view name);

}  // namespace ip2p::gateway
