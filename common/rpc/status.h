// The one place where absl::Status and grpc::Status meet. Codes are the same in both worlds; a hint when to
// try again travels as google.rpc.RetryInfo in the standard status details (trailer grpc-status-details-bin).
#pragma once

#include <optional>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "grpcpp/support/status.h"

namespace ip2p {

// The same error with a hint when to try again.
absl::Status WithRetryAfter(absl::Status status, absl::Duration delay);
// The hint of an error, if it has one.
std::optional<absl::Duration> RetryAfter(const absl::Status& status);

grpc::Status ToGrpc(const absl::Status& status);
// For clients. Details that aren't understood are dropped, damaged ones too.
absl::Status FromGrpc(const grpc::Status& status);

}  // namespace ip2p
