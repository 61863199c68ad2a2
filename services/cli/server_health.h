// The standard health check (grpc.health.v1.Health/Check), for probes where only this client is at hand.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/cli/channel.h"

namespace ip2p {

// Numbers as the standard has them.
enum class ServingStatus { kUnknown = 0, kServing = 1, kNotServing = 2, kServiceUnknown = 3 };

const char* ServingStatusName(ServingStatus status);

// How `service` is; "" asks whether the process lives. UNAVAILABLE also when nothing is said within
// `timeout`; NOT_FOUND: the server has no such service. Other codes as the server says.
absl::StatusOr<ServingStatus> CheckHealth(const Connection& connection, const std::string& service,
                                          absl::Duration timeout);

}  // namespace ip2p
