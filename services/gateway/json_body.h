// Requests' JSON, as strangers write it. Pure functions; nothing throws.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "common/base/json.h"
#include "services/gateway/web_types.h"

namespace ip2p::gateway {

// INVALID_ARGUMENT: no JSON object, nested over 32 levels, or a key twice. No bytes are an empty object.
absl::StatusOr<nlohmann::json> ParseBody(std::string_view body);

// What a value is called in a message: a short one as it stands, a long one by its kind.
std::string Found(const nlohmann::json& value);

// A text, finite number or whole number of `object`; the default when it is absent.
// INVALID_ARGUMENT: "tail is "x"; wants a whole number in 0..1000".
absl::StatusOr<std::string> TextField(const nlohmann::json& object, const char* name, std::string fallback);

// The same of a query's parameters.
absl::StatusOr<int64_t> QueryNumber(const WebRequest& request, const char* name, int64_t fallback,
                                    int64_t low, int64_t high);
absl::StatusOr<double> QueryDecimal(const WebRequest& request, const char* name, double fallback, double low,
                                    double high);

// 200 with JSON that no cache keeps. Bytes that are not UTF-8 are replaced.
WebAnswer JsonAnswer(const nlohmann::json& body);
std::string JsonText(const nlohmann::json& value);

}  // namespace ip2p::gateway
