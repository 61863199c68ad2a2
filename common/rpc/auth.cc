// Every token is compared in full, so that the time taken tells nothing about how much of a guess was right.
#include "common/rpc/auth.h"

#include <cstdint>
#include <fstream>
#include <sstream>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/base/json.h"

namespace ip2p {
namespace {

constexpr size_t kMinSecret = 16;  // characters; shorter ones can be guessed

bool EqualInConstantTime(absl::string_view a, absl::string_view b) {
  uint8_t different = a.size() == b.size() ? 0 : 1;
  for (size_t i = 0; i < b.size(); ++i) {
    different |= static_cast<uint8_t>(b[i] ^ (i < a.size() ? a[i] : '\0'));
  }
  return different == 0;
}

absl::string_view View(grpc::string_ref text) { return {text.data(), text.size()}; }

std::string TextOf(const nlohmann::json& object, const char* key) {
  const auto found = object.is_object() ? object.find(key) : object.end();
  return object.is_object() && found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

// "ipv4:10.0.0.7:41234" -> "ipv4:10.0.0.7": a caller's connections count as one.
std::string WithoutPort(const std::string& peer) {
  if (absl::StartsWith(peer, "unix:")) return peer;
  const size_t colon = peer.rfind(':');
  return colon == std::string::npos ? peer : peer.substr(0, colon);
}

}  // namespace

absl::StatusOr<Authenticator> Authenticator::FromFile(const std::string& path, const Clock* clock) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  if (!file) return absl::NotFoundError("the token file can't be read");
  return FromJson(text.str(), clock);
}

absl::StatusOr<Authenticator> Authenticator::FromJson(const std::string& text, const Clock* clock) {
  const auto json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("tokens") || !json["tokens"].is_array() || json["tokens"].empty()) {
    return absl::InvalidArgumentError(
        "the token file wants {\"tokens\": [{\"name\", \"token\", \"roles\"}, ...]}");
  }
  Authenticator result;
  result.clock_ = clock;
  std::vector<std::string> faults;
  for (const auto& item : json["tokens"]) {
    Token token;
    token.name = TextOf(item, "name");
    token.secret = TextOf(item, "token");
    const std::string where = absl::StrFormat("token %d", result.tokens_.size() + 1);
    if (token.name.empty()) faults.push_back(where + " has no name");
    if (token.secret.size() < kMinSecret) {
      faults.push_back(
          absl::StrFormat("%s has %d characters; wants at least %d", where, token.secret.size(), kMinSecret));
    }
    const bool has_roles = item.is_object() && item.contains("roles") && item["roles"].is_array();
    for (const auto& role : has_roles ? item["roles"] : nlohmann::json::array()) {
      token.edit |= role == "edit" || role == "admin";
      token.admin |= role == "admin";
      if (role != "edit" && role != "admin")
        faults.push_back(where + " has an unknown role; wants edit or admin");
    }
    if (!token.edit) faults.push_back(where + " has no roles");
    if (item.is_object() && item.contains("expires")) {
      std::string error;
      if (!absl::ParseTime(absl::RFC3339_full, TextOf(item, "expires"), &token.expires, &error)) {
        faults.push_back(where + ": expires is no RFC 3339 time");
      }
    }
    result.tokens_.push_back(std::move(token));
  }
  if (!faults.empty()) return absl::InvalidArgumentError(absl::StrJoin(faults, "; "));
  return result;
}

absl::StatusOr<std::string> Authenticator::CheckToken(absl::string_view authorization, Role role) const {
  constexpr absl::string_view kScheme = "Bearer ";
  if (authorization.empty()) {
    return absl::UnauthenticatedError("no token was sent; wants the header authorization: Bearer TOKEN");
  }
  if (!absl::StartsWithIgnoreCase(authorization, kScheme)) {
    return absl::UnauthenticatedError("the authorization header has another scheme; wants Bearer TOKEN");
  }
  const absl::string_view secret = authorization.substr(kScheme.size());
  const Token* match = nullptr;
  for (const Token& token : tokens_) {
    if (EqualInConstantTime(secret, token.secret)) match = &token;
  }
  if (match == nullptr) return absl::UnauthenticatedError("the token is unknown");
  if (clock_->Now() >= match->expires) return absl::UnauthenticatedError("the token has expired");
  if (role == Role::kAdmin ? !match->admin : !match->edit) {
    return absl::PermissionDeniedError(
        absl::StrCat("the token lacks the role ", role == Role::kAdmin ? "admin" : "edit"));
  }
  return match->name;
}

absl::StatusOr<Caller> Authenticator::Check(const grpc::ServerContextBase& context, Role role) const {
  if (wants_tokens()) {
    const auto header = context.client_metadata().find("authorization");
    const absl::string_view value =
        header == context.client_metadata().end() ? absl::string_view() : View(header->second);
    absl::StatusOr<std::string> name = CheckToken(value, role);
    if (!name.ok()) return name.status();
    return Caller{absl::StrCat("token:", *name)};
  }
  const auto peer = context.auth_context();
  if (peer != nullptr && peer->IsPeerAuthenticated()) {
    const std::vector<grpc::string_ref> names = peer->GetPeerIdentity();
    if (!names.empty()) return Caller{absl::StrCat("cert:", View(names[0]))};
  }
  return Caller{absl::StrCat("peer:", WithoutPort(context.peer()))};
}

}  // namespace ip2p
