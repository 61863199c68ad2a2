// Errors as the JSON API tells them: {"error": {"code", "message"}}. Pure functions.
#pragma once

#include <string_view>

#include "absl/status/status.h"
#include "services/gateway/web_types.h"

namespace ip2p::gateway {

// The HTTP status of a code; 200 for OK.
int HttpStatus(absl::StatusCode code);

WebAnswer ErrorAnswer(int status, std::string_view code, std::string_view message);
// With Retry-After when the status has a hint.
WebAnswer ErrorAnswer(const absl::Status& status);

}  // namespace ip2p::gateway
