// google.rpc.Status {code = 1, message = 2, repeated Any details = 3}; google.rpc.RetryInfo {Duration
// retry_delay = 1}.
#include "common/rpc/status.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/cord.h"
#include "common/rpc/duration_proto.h"
#include "common/rpc/wire.h"
#include "google/protobuf/any.pb.h"

namespace ip2p {
namespace {

constexpr char kRetryInfoUrl[] = "type.googleapis.com/google.rpc.RetryInfo";

}  // namespace

absl::Status WithRetryAfter(absl::Status status, absl::Duration delay) {
  status.SetPayload(kRetryInfoUrl,
                    absl::Cord(internal::BytesField(1, DurationProto(delay).SerializeAsString())));
  return status;
}

std::optional<absl::Duration> RetryAfter(const absl::Status& status) {
  const absl::optional<absl::Cord> info = status.GetPayload(kRetryInfoUrl);
  if (!info) return std::nullopt;
  const std::vector<std::string> delays = internal::FindBytesFields(1, std::string(*info));
  google::protobuf::Duration wire;
  if (delays.empty() || !wire.ParseFromString(delays.back())) return std::nullopt;
  return FromProto(wire);
}

grpc::Status ToGrpc(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  const auto code = static_cast<grpc::StatusCode>(status.code());  // the numbers are the same by design
  const std::string message(status.message());
  std::string details;
  status.ForEachPayload([&](absl::string_view url, const absl::Cord& payload) {
    google::protobuf::Any any;
    any.set_type_url(std::string(url));
    any.set_value(std::string(payload));
    details += internal::BytesField(3, any.SerializeAsString());
  });
  if (details.empty()) return grpc::Status(code, message);
  return grpc::Status(code, message,
                      internal::VarintField(1, code) + internal::BytesField(2, message) + details);
}

absl::Status FromGrpc(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  absl::Status result(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
  for (const std::string& detail : internal::FindBytesFields(3, status.error_details())) {
    google::protobuf::Any any;
    if (any.ParseFromString(detail)) result.SetPayload(any.type_url(), absl::Cord(any.value()));
  }
  return result;
}

}  // namespace ip2p
