#include "services/gateway/guard.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/base/trace_parent.h"
#include "services/gateway/listen_socket.h"

namespace ip2p::gateway {
namespace {

constexpr size_t kMaxTokenBytes = 512;

std::string Text(std::string_view view) { return std::string(view); }

// "https://host:8080" -> "host:8080"; a scheme may differ behind a proxy that ends TLS.
std::string AuthorityOf(const std::string& origin) {
  const size_t scheme = origin.find("://");
  return scheme == std::string::npos ? origin : origin.substr(scheme + 3);
}

}  // namespace

Guard::Guard(Authenticator authenticator, std::vector<std::string> allowed_hosts)
    : authenticator_(std::move(authenticator)), allowed_hosts_(std::move(allowed_hosts)) {}

absl::Status Guard::CheckOrigin(const WebRequest& request) const {
  const std::string host = Text(request.Header("host"));
  const std::string name = absl::AsciiStrToLower(HostOf(host));
  if (!allowed_hosts_.empty() &&
      std::find(allowed_hosts_.begin(), allowed_hosts_.end(), name) == allowed_hosts_.end()) {
    return absl::PermissionDeniedError("Host is not one of this gateway's names; see --allowed-hosts");
  }
  if (request.method == "GET" || request.method == "HEAD") return absl::OkStatus();
  const std::string_view site = request.Header("sec-fetch-site");
  if (!site.empty() && site != "same-origin" && site != "none") {
    return absl::PermissionDeniedError(
        "the request comes from a page of another site; wants the same origin");
  }
  const std::string origin = Text(request.Header("origin"));
  if (!origin.empty() && !absl::EqualsIgnoreCase(AuthorityOf(origin), host)) {
    return absl::PermissionDeniedError("Origin is another one than Host; wants the same origin");
  }
  return absl::OkStatus();
}

absl::Status Guard::Identify(WebRequest& request) const {
  request.token = TokenOf(request);
  request.caller = absl::StrCat("peer:", request.remote);
  if (!wants_tokens()) return absl::OkStatus();
  const absl::StatusOr<std::string> name = authenticator_.CheckToken(
      request.token.empty() ? "" : absl::StrCat("Bearer ", request.token), Role::kEdit);
  if (!name.ok()) return name.status();
  request.caller = absl::StrCat("token:", *name);
  return absl::OkStatus();
}

absl::Status Guard::CheckToken(const std::string& token) const {
  if (!wants_tokens()) return absl::OkStatus();
  return authenticator_.CheckToken(absl::StrCat("Bearer ", token), Role::kEdit).status();
}

std::vector<std::string> DefaultAllowedHosts(const std::string& listen_host) {
  if (listen_host != "127.0.0.1" && listen_host != "::1" && listen_host != "localhost") return {};
  return {"127.0.0.1", "::1", "localhost"};
}

std::string TokenOf(const WebRequest& request) {
  constexpr std::string_view kScheme = "Bearer ";
  const std::string header = Text(request.Header("authorization"));
  if (header.size() > kScheme.size() && SameName(header.substr(0, kScheme.size()), kScheme)) {
    const std::string token = header.substr(kScheme.size());
    return IsToken(token) ? token : "";
  }
  for (absl::string_view pair : absl::StrSplit(Text(request.Header("cookie")), ';')) {
    const std::pair<absl::string_view, absl::string_view> cookie =
        absl::StrSplit(absl::StripAsciiWhitespace(pair), absl::MaxSplits('=', 1));
    if (cookie.first == kSessionCookie && IsToken(Text({cookie.second.data(), cookie.second.size()}))) {
      return std::string(cookie.second);
    }
  }
  return "";
}

bool IsToken(std::string_view text) {
  return !text.empty() && text.size() <= kMaxTokenBytes && std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isgraph(static_cast<unsigned char>(c)) && c != ';' && c != '"' && c != ',';
  });
}

std::string TraceParentOf(const WebRequest& request) {
  const std::string_view given = request.Header("traceparent");
  return IsTraceParent(given) ? std::string(given) : NewTraceParent();
}

}  // namespace ip2p::gateway
