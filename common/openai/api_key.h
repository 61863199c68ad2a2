// The provider's key: sent, and otherwise nowhere. It has no way into a stream, a format or a log, and every
// text that comes from a server passes Scrub. Immutable, any thread; copies share the key's memory.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"

namespace ip2p {

class ApiKey {
 public:
  // No key: local servers want none. Scrub then changes nothing.
  ApiKey() = default;
  // INVALID_ARGUMENT, without the text, unless it is 8..512 printable ASCII characters without blanks.
  static absl::StatusOr<ApiKey> FromText(std::string_view text);
  // From the file (blanks around are cut) when one is named, else from OPENAI_API_KEY, else none. The
  // variable is taken out of this process's environment once read. Errors: NOT_FOUND the file,
  // INVALID_ARGUMENT.
  static absl::StatusOr<ApiKey> Load(const std::string& file);

  bool empty() const { return secret_ == nullptr; }
  // The value of the Authorization header. For the request that is about to be sent, and nothing else.
  std::string AuthorizationHeader() const;

  // True when the text holds 8 or more successive characters of the key.
  bool IsIn(std::string_view text) const;
  // The same text with such passages replaced by "[key]".
  std::string Scrub(std::string_view text) const;

 private:
  struct Secret {
    std::string text;
    absl::flat_hash_set<uint64_t> windows;  // every 8 successive bytes
  };

  explicit ApiKey(std::shared_ptr<const Secret> secret) : secret_(std::move(secret)) {}

  std::shared_ptr<const Secret> secret_;
};

}  // namespace ip2p
