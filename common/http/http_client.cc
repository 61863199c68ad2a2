#include "common/http/http_client.h"

#include "absl/strings/cord.h"

namespace ip2p {
namespace {

constexpr const char* kNeverSent = "ip2p/http-never-sent";

}  // namespace

bool WasNeverSent(const absl::Status& status) { return status.GetPayload(kNeverSent).has_value(); }

absl::Status NeverSent(absl::Status status) {
  status.SetPayload(kNeverSent, absl::Cord("yes"));
  return status;
}

std::string_view HttpResponse::Header(std::string_view name) const {
  for (const HttpHeader& header : headers) {
    if (header.name == name) return header.value;
  }
  return {};
}

}  // namespace ip2p
