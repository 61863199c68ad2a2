// What every answer tells a browser: nothing from elsewhere, nothing inline, no framing, no guessing of
// types.
#pragma once

#include "services/gateway/web_types.h"

namespace ip2p::gateway {

inline const NamedValues& SecurityHeaders() {
  static const auto* const headers = new NamedValues{
      // blob: shows pictures that were received or dropped; they never come from an address.
      {"Content-Security-Policy",
       "default-src 'self'; img-src 'self' blob:; object-src 'none'; base-uri 'none'; form-action 'self'; "
       "frame-ancestors 'none'"},
      {"X-Content-Type-Options", "nosniff"},
      {"X-Frame-Options", "DENY"},
      {"Referrer-Policy", "no-referrer"},
      {"Cross-Origin-Opener-Policy", "same-origin"},
      {"Cross-Origin-Resource-Policy", "same-origin"},
      {"Permissions-Policy", "camera=(), geolocation=(), microphone=()"},
  };
  return *headers;
}

}  // namespace ip2p::gateway
