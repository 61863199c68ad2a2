// The standard health question (grpc.health.v1), without generated code, which Debian's gRPC does not ship.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "services/gateway/upstream.h"

namespace ip2p::gateway {

// OK: `service` serves. FAILED_PRECONDITION: not configured. UNAVAILABLE: not reached, or not serving (yet).
absl::Status AskHealth(const Upstream& upstream, const WebRequest& request, const std::string& service,
                       absl::Duration timeout);

}  // namespace ip2p::gateway
