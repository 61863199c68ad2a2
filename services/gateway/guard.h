// Who may ask: the host that was asked for, the page that asks, the token. Pure but for the token's expiry;
// thread-safe.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/rpc/auth.h"
#include "services/gateway/web_types.h"

namespace ip2p::gateway {

inline constexpr char kSessionCookie[] = "ip2p_session";

class Guard {
 public:
  // `allowed_hosts`: names that may stand in Host, without ports; empty: any.
  Guard(Authenticator authenticator, std::vector<std::string> allowed_hosts);

  // PERMISSION_DENIED: the Host is not ours (a foreign name that was pointed at this address, say), or the
  // request would change something and comes from a page of another origin.
  absl::Status CheckOrigin(const WebRequest& request) const;

  // Fills in token and caller. UNAUTHENTICATED, PERMISSION_DENIED.
  absl::Status Identify(WebRequest& request) const;
  // Whether the token could be one: the words for the login page. UNAUTHENTICATED.
  absl::Status CheckToken(const std::string& token) const;
  bool wants_tokens() const { return authenticator_.wants_tokens(); }

 private:
  const Authenticator authenticator_;
  const std::vector<std::string> allowed_hosts_;
};

// For loopback addresses the names of loopback, so that no web page reaches a local gateway through a name of
// its own; else none, which allows any.
std::vector<std::string> DefaultAllowedHosts(const std::string& listen_host);

// The token of the authorization header or of the cookie; empty: none.
std::string TokenOf(const WebRequest& request);
// One word of printable ASCII without ; and quotes, at most 512 characters: fits header, cookie and metadata.
bool IsToken(std::string_view text);

// The header "traceparent" as it came, when it is a good one; else a new one, of a trace that begins here.
std::string TraceParentOf(const WebRequest& request);

}  // namespace ip2p::gateway
