// The meaning of answers: docs "Error codes" of the API, with what proxies and imitations of it send besides.
#include "common/openai/api_call.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/utf8.h"
#include "common/dataset/json_text.h"
#include "common/http/retry_after.h"

namespace ip2p {
namespace {

using Json = nlohmann::json;

constexpr size_t kMaxQuotedBytes = 200;  // of a server's words in our errors

struct ErrorBody {
  bool present = false;
  std::string code;  // or the type
  std::string message;
};

std::string Text(const Json& object, const char* name) {
  const auto it = object.find(name);
  return it != object.end() && it->is_string() ? it->get<std::string>() : std::string();
}

ErrorBody ReadError(const Json& answer) {
  ErrorBody error;
  const auto it = answer.is_object() ? answer.find("error") : answer.end();
  if (it == answer.end() || it->is_null()) return error;
  error.present = true;
  if (it->is_string()) error.message = it->get<std::string>();
  if (!it->is_object()) return error;
  error.code = Text(*it, "code");
  if (error.code.empty()) error.code = Text(*it, "type");
  error.message = Text(*it, "message");
  return error;
}

// A server's words, fit to be shown: short, one line, printable, without the key.
std::string Quoted(const ApiKey& key, std::string_view text) {
  std::string shown = key.Scrub(text);
  for (char& c : shown) {
    if (c < ' ' || c > '~') c = '?';
  }
  if (shown.size() > kMaxQuotedBytes) shown = shown.substr(0, kMaxQuotedBytes) + "...";
  return shown;
}

absl::StatusCode CodeOf(int status) {
  switch (status) {
    case 401:
      return absl::StatusCode::kUnauthenticated;
    case 403:
      return absl::StatusCode::kPermissionDenied;
    case 404:
      return absl::StatusCode::kNotFound;
    case 409:
      return absl::StatusCode::kAborted;
    case 429:
      return absl::StatusCode::kResourceExhausted;
    default:
      return status >= 400 && status < 500 && status != 408 ? absl::StatusCode::kInvalidArgument
                                                            : absl::StatusCode::kUnavailable;
  }
}

bool IsContentFilter(const std::string& code) {
  return code == "content_filter" || code == "content_policy_violation";
}

Exchange JudgeFailure(const HttpResponse& response, const ErrorBody& error, const ApiKey& key) {
  Exchange exchange;
  std::string text = absl::StrCat("the provider answered ", response.status);
  if (!error.code.empty()) absl::StrAppend(&text, " (", Quoted(key, error.code), ")");
  if (!error.message.empty()) absl::StrAppend(&text, ": ", Quoted(key, error.message));
  exchange.status = absl::Status(CodeOf(response.status), text);
  exchange.kind = ClassifyHttpStatus(response.status, ParseShouldRetry(response));
  if (response.status == 429 && error.code == "insufficient_quota") exchange.kind = FailureKind::kFatal;
  if (exchange.kind == FailureKind::kFatal) exchange.end = ApiEnd::kFatal;
  if (response.status == 400 && IsContentFilter(error.code)) {
    exchange.end = ApiEnd::kRefused;
    exchange.status = absl::OkStatus();
  }
  // A gateway gives up on a request that the server behind it may still answer and bill.
  const bool gateway = response.status == 502 || response.status == 504 || response.status >= 520;
  exchange.charge = gateway || response.status == 408 ? Charge::kUnknown : Charge::kNothing;
  return exchange;
}

Exchange JudgeTransport(const absl::Status& status) {
  Exchange exchange;
  exchange.status = status;
  exchange.charge = WasNeverSent(status) ? Charge::kNothing : Charge::kUnknown;
  exchange.kind = FailureKind::kTransient;
  if (absl::IsCancelled(status)) {
    exchange.end = ApiEnd::kCancelled;
    exchange.kind = FailureKind::kFinal;
  } else if (absl::IsInvalidArgument(status) || absl::IsFailedPrecondition(status)) {
    exchange.end = ApiEnd::kFatal;
    exchange.kind = FailureKind::kFatal;
  }
  return exchange;
}

Exchange Unreadable(std::string_view found) {
  Exchange exchange;
  exchange.kind = FailureKind::kTransient;
  exchange.charge = Charge::kUnknown;
  exchange.status = absl::UnavailableError(absl::StrCat(
      "the provider's answer ", absl::string_view(found.data(), found.size()), "; wants a JSON object"));
  return exchange;
}

}  // namespace

bool ScrubJson(const ApiKey& key, Json& value) {
  bool found = false;
  if (key.empty()) return found;
  if (value.is_string()) {
    auto& text = value.get_ref<std::string&>();
    found = key.IsIn(text);
    if (found) text = key.Scrub(text);
  } else if (value.is_object()) {
    Json clean = Json::object();
    for (auto& [name, item] : value.items()) {
      found = ScrubJson(key, item) || key.IsIn(name) || found;
      clean[key.Scrub(name)] = std::move(item);
    }
    value = std::move(clean);
  } else if (value.is_array()) {
    for (Json& item : value) found = ScrubJson(key, item) || found;
  }
  return found;
}

Exchange JudgeExchange(const ApiRequest& request, const absl::StatusOr<HttpResponse>& response,
                       const ApiKey& key) {
  if (!response.ok()) return JudgeTransport(response.status());
  const bool good = response->status >= 200 && response->status < 300;
  Exchange exchange;
  if (good && request.raw_answer) {
    exchange.end = ApiEnd::kAnswered;
    return exchange;
  }
  absl::StatusOr<Json> answer = ParseJsonObject(response->body);
  if (!good) return JudgeFailure(*response, answer.ok() ? ReadError(*answer) : ErrorBody{}, key);
  if (response->body.empty()) return Unreadable("is empty");
  if (!answer.ok()) return Unreadable("can't be read");
  exchange.held_key = ScrubJson(key, *answer);
  if (const ErrorBody error = ReadError(*answer); error.present) {
    // Success outside, an error inside: some proxies do so for what they call 5xx.
    exchange = JudgeFailure(*response, error, key);
    exchange.kind = exchange.end == ApiEnd::kRefused ? FailureKind::kFinal : FailureKind::kTransient;
    exchange.charge = Charge::kUnknown;
    return exchange;
  }
  exchange.end = ApiEnd::kAnswered;
  exchange.charge = Charge::kAnswer;
  exchange.answer = *std::move(answer);
  return exchange;
}

std::string OutcomeLabel(const absl::StatusOr<HttpResponse>& response) {
  if (!response.ok()) {
    if (absl::IsDeadlineExceeded(response.status())) return "timeout";
    if (absl::IsCancelled(response.status())) return "cancelled";
    return absl::IsResourceExhausted(response.status()) ? "too_long" : "unavailable";
  }
  const int status = response->status;
  return status >= 100 && status <= 599 ? absl::StrCat(status) : "odd";
}

}  // namespace ip2p
