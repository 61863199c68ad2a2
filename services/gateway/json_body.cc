// nlohmann's parser builds its tree without recursion, but destroys and prints it with some: depth is
// bounded.
#include "services/gateway/json_body.h"

#include <cmath>
#include <set>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace ip2p::gateway {
namespace {

using nlohmann::json;

constexpr int kMaxDepth = 32;
constexpr size_t kShownBytes = 60;

// Watches a text being parsed for what the tree would hide.
class Watch {
 public:
  bool operator()(int depth, json::parse_event_t event, json& value) {
    if (depth > kMaxDepth) fault_ = "the body nests too deeply; wants at most 32 levels";
    if (event == json::parse_event_t::object_start) keys_.emplace_back();
    if (event == json::parse_event_t::object_end && !keys_.empty()) keys_.pop_back();
    if (event == json::parse_event_t::key && !keys_.empty() && !keys_.back().insert(value).second) {
      fault_ = absl::StrCat(Found(value), " is given twice; wants each key once");
    }
    return fault_.empty();
  }
  const std::string& fault() const { return fault_; }

 private:
  std::vector<std::set<json>> keys_;
  std::string fault_;
};

absl::Status Unwanted(const char* name, const std::string& found, const std::string& wanted) {
  return absl::InvalidArgumentError(absl::StrCat(name, " is ", found, "; wants ", wanted));
}

}  // namespace

absl::StatusOr<json> ParseBody(std::string_view body) {
  if (body.empty()) return json::object();
  Watch watch;
  json object = json::parse(
      body.begin(), body.end(),
      [&watch](int depth, json::parse_event_t event, json& value) { return watch(depth, event, value); },
      /*allow_exceptions=*/false);
  if (!watch.fault().empty()) return absl::InvalidArgumentError(watch.fault());
  if (object.is_discarded()) return absl::InvalidArgumentError("the body is no JSON; wants an object");
  if (!object.is_object()) return Unwanted("the body", Found(object), "an object");
  return object;
}

std::string Found(const json& value) {
  if (value.is_object()) return "an object";
  if (value.is_array()) return "an array";
  const std::string text = JsonText(value);
  return text.size() <= kShownBytes ? text : absl::StrCat("a ", value.type_name(), " of ", text.size(), " B");
}

absl::StatusOr<std::string> TextField(const json& object, const char* name, std::string fallback) {
  const auto found = object.find(name);
  if (found == object.end()) return fallback;
  if (!found->is_string()) return Unwanted(name, Found(*found), "a text");
  return found->get<std::string>();
}

absl::StatusOr<int64_t> QueryNumber(const WebRequest& request, const char* name, int64_t fallback,
                                    int64_t low, int64_t high) {
  const std::string* text = request.Query(name);
  if (text == nullptr) return fallback;
  int64_t number = 0;
  if (absl::SimpleAtoi(*text, &number) && number >= low && number <= high) return number;
  return Unwanted(name, Found(*text), absl::StrCat("a whole number in ", low, "..", high));
}

absl::StatusOr<double> QueryDecimal(const WebRequest& request, const char* name, double fallback, double low,
                                    double high) {
  const std::string* text = request.Query(name);
  if (text == nullptr) return fallback;
  double number = 0;
  if (absl::SimpleAtod(*text, &number) && number >= low && number <= high) return number;
  return Unwanted(name, Found(*text), absl::StrCat("a number in ", low, "..", high));
}

std::string JsonText(const json& value) {
  return value.dump(-1, ' ', /*ensure_ascii=*/false, json::error_handler_t::replace);
}

WebAnswer JsonAnswer(const json& body) {
  WebAnswer answer{.body = JsonText(body)};
  answer.headers.emplace_back("Cache-Control", "no-store");
  return answer;
}

}  // namespace ip2p::gateway
