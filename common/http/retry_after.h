// When a server wants to be asked again, out of its answer's headers. Pure functions.
#pragma once

#include <optional>
#include <string_view>

#include "absl/time/time.h"
#include "common/http/http_client.h"

namespace ip2p {

// From "retry-after-ms" (milliseconds), else "retry-after" (seconds, or an HTTP date of any of RFC 9110's
// three forms). A moment in the past is zero; a number past every range is InfiniteDuration. Nothing when
// neither is there or readable.
std::optional<absl::Duration> ParseRetryAfter(const HttpResponse& response, absl::Time now);

// "x-should-retry: true|false". Nothing otherwise.
std::optional<bool> ParseShouldRetry(const HttpResponse& response);

// What is left of a window: "1s", "6m0s", "20ms", "1h2m3.5s", or plain seconds "12". Never negative.
std::optional<absl::Duration> ParseReset(std::string_view text);

}  // namespace ip2p
