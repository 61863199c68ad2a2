#include "services/gateway/web_errors.h"

#include <cmath>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/base/json.h"
#include "common/rpc/status.h"

namespace ip2p::gateway {

int HttpStatus(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kOk:
      return 200;
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kOutOfRange:
      return 400;
    case absl::StatusCode::kUnauthenticated:
      return 401;
    case absl::StatusCode::kPermissionDenied:
      return 403;
    case absl::StatusCode::kNotFound:
      return 404;
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kAborted:
    case absl::StatusCode::kFailedPrecondition:
      return 409;
    case absl::StatusCode::kResourceExhausted:
      return 429;
    case absl::StatusCode::kCancelled:
      return 499;  // nobody hears it but the log
    case absl::StatusCode::kUnimplemented:
      return 501;
    case absl::StatusCode::kUnavailable:
      return 503;
    case absl::StatusCode::kDeadlineExceeded:
      return 504;
    default:
      return 500;
  }
}

WebAnswer ErrorAnswer(int status, std::string_view code, std::string_view message) {
  const nlohmann::json body = {{"error", {{"code", std::string(code)}, {"message", std::string(message)}}}};
  WebAnswer answer{.status = status,
                   .body = body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)};
  answer.headers.emplace_back("Cache-Control", "no-store");
  return answer;
}

WebAnswer ErrorAnswer(const absl::Status& status) {
  WebAnswer answer = ErrorAnswer(HttpStatus(status.code()), absl::StatusCodeToString(status.code()),
                                 std::string_view(status.message().data(), status.message().size()));
  if (const auto delay = RetryAfter(status)) {
    answer.headers.emplace_back("Retry-After",
                                absl::StrCat(static_cast<int64_t>(std::ceil(absl::ToDoubleSeconds(*delay)))));
  }
  return answer;
}

}  // namespace ip2p::gateway
