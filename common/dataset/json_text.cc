// nlohmann's parser builds its tree without recursion, but destroys and prints it with some: depth is
// bounded.
#include "common/dataset/json_text.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace ip2p {
namespace {

constexpr int kMaxDepth = 64;

std::string KindOf(const nlohmann::json& value) {
  return absl::StrCat(value.is_array() || value.is_object() ? "an " : "a ", value.type_name());
}

}  // namespace

absl::StatusOr<nlohmann::json> ParseJsonObject(std::string_view line) {
  bool too_deep = false;
  const auto watch = [&too_deep](int depth, nlohmann::json::parse_event_t, nlohmann::json&) {
    if (depth > kMaxDepth) too_deep = true;
    return depth <= kMaxDepth;
  };
  nlohmann::json object = nlohmann::json::parse(line.begin(), line.end(), watch, /*allow_exceptions=*/false);
  if (too_deep) return absl::InvalidArgumentError("the line nests too deeply; wants at most 64 levels");
  if (object.is_discarded()) return absl::InvalidArgumentError("the line is no JSON; wants an object");
  if (!object.is_object()) {
    return absl::InvalidArgumentError(absl::StrCat("the line is ", KindOf(object), "; wants an object"));
  }
  return object;
}

absl::StatusOr<std::string> TextOr(const nlohmann::json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || found->is_null()) return std::string();
  if (!found->is_string()) {
    return absl::InvalidArgumentError(absl::StrCat(key, " is ", KindOf(*found), "; wants a text"));
  }
  return found->get<std::string>();
}

int64_t NumberOr(const nlohmann::json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_number_integer() ? found->get<int64_t>() : 0;
}

}  // namespace ip2p
