#include "services/training_coordinator/server_addresses.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <sys/socket.h>

#include <algorithm>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "common/base/status_macros.h"

namespace ip2p::training_coordinator {
namespace {

struct HostPort {
  std::string host;  // without brackets
  std::string port;
};

absl::StatusOr<HostPort> Split(absl::string_view text) {
  const size_t colon = text.rfind(':');
  HostPort parts;
  int port = 0;
  if (colon != absl::string_view::npos) {
    parts = {std::string(text.substr(0, colon)), std::string(text.substr(colon + 1))};
    if (parts.host.starts_with("[") && parts.host.ends_with("]")) {
      parts.host = parts.host.substr(1, parts.host.size() - 2);
    } else if (parts.host.find(':') != std::string::npos) {
      parts.host.clear();  // a bare IPv6 address, whose last group is no port
    }
  }
  if (!parts.host.empty() && absl::SimpleAtoi(parts.port, &port) && port > 0 && port < 65536) return parts;
  return absl::InvalidArgumentError(absl::StrCat("\"", text, "\" is no address; wants HOST:PORT"));
}

absl::Status Resolve(const HostPort& asked, std::vector<ServerAddress>& all) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int failed = ::getaddrinfo(asked.host.c_str(), asked.port.c_str(), &hints, &found);
  if (failed != 0) {
    return absl::UnavailableError(
        absl::StrCat(asked.host, " does not resolve to an address: ", ::gai_strerror(failed)));
  }
  const absl::Cleanup free_found = [found] { ::freeaddrinfo(found); };
  bool ipv4 = false;
  for (const addrinfo* each = found; each != nullptr; each = each->ai_next)
    ipv4 |= each->ai_family == AF_INET;
  for (const addrinfo* each = found; each != nullptr; each = each->ai_next) {
    if (each->ai_family != (ipv4 ? AF_INET : AF_INET6)) continue;
    char host[NI_MAXHOST];
    if (::getnameinfo(each->ai_addr, each->ai_addrlen, host, sizeof(host), nullptr, 0, NI_NUMERICHOST) != 0) {
      continue;
    }
    std::string said = ipv4 ? absl::StrCat(host, ":", asked.port) : absl::StrCat("[", host, "]:", asked.port);
    const auto same = [&said](const ServerAddress& other) { return other.said == said; };
    if (std::any_of(all.begin(), all.end(), same)) continue;
    all.push_back({absl::StrCat(ipv4 ? "ipv4:" : "ipv6:", said), asked.host, said});
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckServers(const std::string& list) {
  for (const absl::string_view one : absl::StrSplit(list, ',')) IP2P_RETURN_IF_ERROR(Split(one).status());
  return absl::OkStatus();
}

absl::StatusOr<std::vector<ServerAddress>> ResolveServers(const std::string& list) {
  std::vector<ServerAddress> all;
  for (const absl::string_view one : absl::StrSplit(list, ',')) {
    IP2P_ASSIGN_OR_RETURN(const HostPort asked, Split(one));
    IP2P_RETURN_IF_ERROR(Resolve(asked, all));
  }
  return all;
}

}  // namespace ip2p::training_coordinator
