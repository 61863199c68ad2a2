#include "services/gateway/session_api.h"

#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "services/gateway/json_body.h"

namespace ip2p::gateway {
namespace {

std::string Cookie(const SessionParts& parts, const std::string& token, const char* age) {
  return absl::StrCat(kSessionCookie, "=", token, "; Path=/; HttpOnly; SameSite=Strict", age,
                      parts.secure_cookie ? "; Secure" : "");
}

absl::StatusOr<WebAnswer> Session(const SessionParts& parts, const WebRequest& request) {
  const bool known = !request.token.empty() && parts.guard->CheckToken(request.token).ok();
  return JsonAnswer({{"wants_token", parts.guard->wants_tokens()},
                     {"logged_in", known},
                     {"caller", known || !parts.guard->wants_tokens() ? request.caller : ""}});
}

absl::StatusOr<WebAnswer> Login(const SessionParts& parts, const WebRequest& request) {
  IP2P_ASSIGN_OR_RETURN(const nlohmann::json body, ParseBody(request.body));
  IP2P_ASSIGN_OR_RETURN(std::string token, TextField(body, "token", ""));
  absl::StripAsciiWhitespace(&token);
  if (!IsToken(token))
    return absl::InvalidArgumentError("token is no token; wants one word of printable ASCII");
  IP2P_RETURN_IF_ERROR(parts.guard->CheckToken(token));
  WebAnswer answer = JsonAnswer({{"logged_in", true}});
  answer.headers.emplace_back("Set-Cookie", Cookie(parts, token, ""));
  return answer;
}

}  // namespace

void AddSessionRoutes(Router& router, const SessionParts& parts) {
  router.Add({.method = "GET",
              .pattern = "/api/v1/session",
              .handler = [parts](WebRequest& request, EventSink&) { return Session(parts, request); },
              .open = true});
  router.Add({.method = "POST",
              .pattern = "/api/v1/login",
              .handler = [parts](WebRequest& request, EventSink&) { return Login(parts, request); },
              .open = true});
  router.Add({.method = "POST",
              .pattern = "/api/v1/logout",
              .handler = [parts](WebRequest&, EventSink&) -> absl::StatusOr<WebAnswer> {
                WebAnswer answer = JsonAnswer({{"logged_in", false}});
                answer.headers.emplace_back("Set-Cookie", Cookie(parts, "", "; Max-Age=0"));
                return answer;
              },
              .open = true});
}

}  // namespace ip2p::gateway
