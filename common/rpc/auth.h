// Who calls, and may they? Bearer tokens from a file, beside or instead of client certificates.
//
// The file is JSON: {"tokens": [{"name": "web", "token": "...", "roles": ["edit"], "expires":
// "2030-01-01T00:00:00Z"}]}. `expires` is optional. Read once, at the start. Thread-safe (immutable).
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/base/clock.h"
#include "grpcpp/server_context.h"

namespace ip2p {

enum class Role { kEdit, kAdmin };  // admin includes edit

// The one on the other end, as quotas and logs know it: "token:web", "cert:CN or SAN", else "peer:ADDRESS".
struct Caller {
  std::string id;
};

class Authenticator {
 public:
  // Everyone may do everything (client certificates, where the server demands them, were checked before).
  Authenticator() = default;
  // Wants a token of the file. Errors: NOT_FOUND, INVALID_ARGUMENT (all faults listed, no token shown).
  static absl::StatusOr<Authenticator> FromFile(const std::string& path, const Clock* clock = Clock::Real());
  static absl::StatusOr<Authenticator> FromJson(const std::string& text, const Clock* clock = Clock::Real());

  // UNAUTHENTICATED: token missing, unknown or expired. PERMISSION_DENIED: its roles lack `role`.
  absl::StatusOr<Caller> Check(const grpc::ServerContextBase& context, Role role) const;
  // The same by the value of the "authorization" header; empty: none was sent.
  absl::StatusOr<std::string> CheckToken(absl::string_view authorization, Role role) const;

  bool wants_tokens() const { return !tokens_.empty(); }

 private:
  struct Token {
    std::string name;
    std::string secret;
    bool edit = false;
    bool admin = false;
    absl::Time expires = absl::InfiniteFuture();
  };

  std::vector<Token> tokens_;
  const Clock* clock_ = Clock::Real();
};

}  // namespace ip2p
