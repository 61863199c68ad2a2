// Reading JSON objects that strangers wrote. Pure functions; nothing throws.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "common/base/json.h"

namespace ip2p {

// INVALID_ARGUMENT: "the line is no JSON; wants an object", or too deeply nested (64 levels).
absl::StatusOr<nlohmann::json> ParseJsonObject(std::string_view line);

// The text under `key`, empty when absent or null. INVALID_ARGUMENT: "url is a number; wants a text".
absl::StatusOr<std::string> TextOr(const nlohmann::json& object, const char* key);

// The whole number under `key`, 0 when absent or null or not a number.
int64_t NumberOr(const nlohmann::json& object, const char* key);

}  // namespace ip2p
