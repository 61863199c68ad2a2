// A listening TCP socket from HOST:PORT.
#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace ip2p::gateway {

struct ListenSocket {
  int fd = -1;
  int port = 0;
};

// "127.0.0.1:8080", "[::1]:0", "localhost:80", "0.0.0.0:80". Never shares a port with another process.
// INVALID_ARGUMENT: no such form. UNAVAILABLE: it can't listen there.
absl::StatusOr<ListenSocket> Listen(const std::string& address);

// "[::1]:8080" -> "::1"; an address without a port is all host.
std::string HostOf(const std::string& address);

}  // namespace ip2p::gateway
