// Logging in and out: the token of a program becomes a browser's cookie.
//
//   GET  /api/v1/session   {"wants_token", "logged_in", "caller"}
//   POST /api/v1/login     {"token"} -> 200 and the cookie, which no script can read and no other site sends
//   POST /api/v1/logout    takes the cookie away
#pragma once

#include "services/gateway/guard.h"
#include "services/gateway/router.h"

namespace ip2p::gateway {

struct SessionParts {
  const Guard* guard = nullptr;
  bool secure_cookie = false;
};

void AddSessionRoutes(Router& router, const SessionParts& parts);

}  // namespace ip2p::gateway
