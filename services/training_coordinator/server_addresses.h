// Every server behind a name: a Service without a cluster IP (clusterIP: None) resolves to all of its pods.
// Blocks on the resolver; any thread.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace ip2p::training_coordinator {

struct ServerAddress {
  std::string target;  // of a gRPC channel: "ipv4:10.0.0.7:50052"
  std::string host;    // as it was asked for, which is what a certificate is made out to
  std::string said;    // "10.0.0.7:50052", for messages
};

// `list` is HOST:PORT, or several with commas between. INVALID_ARGUMENT tells the first that is not.
absl::Status CheckServers(const std::string& list);

// Each address once. Of a name with IPv4 and IPv6 addresses the IPv4 ones: they are the same servers.
// UNAVAILABLE: a name does not resolve now. Errors of CheckServers.
absl::StatusOr<std::vector<ServerAddress>> ResolveServers(const std::string& list);

}  // namespace ip2p::training_coordinator
