#include "common/checkpoint/config_reader.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/checkpoint/text_quote.h"

namespace ip2p {
namespace {

using nlohmann::json;

std::string Dump(const json& value) {
  std::string text = value.dump(-1, ' ', true, json::error_handler_t::replace);
  constexpr size_t kMax = 120;
  if (text.size() > kMax) text = text.substr(0, kMax) + "...";
  return text;
}

bool IsIntIn(const json& value, int min, int max) {
  if (!value.is_number_integer()) return false;
  if (value.is_number_unsigned()) {
    return value.get<uint64_t>() <= static_cast<uint64_t>(std::max(max, 0)) &&
           static_cast<int>(value.get<uint64_t>()) >= min;
  }
  return value.get<int64_t>() >= min && value.get<int64_t>() <= max;
}

std::string RangeText(int min, int max) { return absl::StrCat("a whole number in ", min, "..", max); }

}  // namespace

absl::StatusOr<ConfigReader> ConfigReader::Parse(std::string_view text, const std::string& name) {
  constexpr int kMaxDepth = 8;
  // The callback prunes what is nested too deeply, so that freeing the document cannot exhaust the stack.
  json parsed = json::parse(
      text, [](int depth, json::parse_event_t, json&) { return depth <= kMaxDepth; }, false);
  if (!parsed.is_object()) return absl::DataLossError(absl::StrCat(name, " is not a JSON object"));
  return ConfigReader(std::move(parsed), name);
}

const json* ConfigReader::Find(const char* field) {
  seen_.insert(field);
  const auto found = json_.find(field);
  return found == json_.end() || found->is_null() ? nullptr : &*found;
}

int ConfigReader::Int(const char* field, int standard, int min, int max) {
  const json* value = Find(field);
  if (value == nullptr) return standard;
  if (IsIntIn(*value, min, max)) return value->get<int>();
  Fault(field, Dump(*value), RangeText(min, max));
  return standard;
}

double ConfigReader::Number(const char* field, double standard, double min, double max) {
  const json* value = Find(field);
  if (value == nullptr) return standard;
  if (value->is_number() && value->get<double>() >= min && value->get<double>() <= max)
    return value->get<double>();
  Fault(field, Dump(*value), absl::StrCat("a number in ", min, "..", max));
  return standard;
}

bool ConfigReader::Bool(const char* field, bool standard) {
  const json* value = Find(field);
  if (value == nullptr) return standard;
  if (value->is_boolean()) return value->get<bool>();
  Fault(field, Dump(*value), "true or false");
  return standard;
}

std::string ConfigReader::Text(const char* field, std::string_view standard) {
  const json* value = Find(field);
  if (value == nullptr) return std::string(standard);
  if (value->is_string()) return value->get<std::string>();
  Fault(field, Dump(*value), "a text");
  return std::string(standard);
}

std::vector<std::string> ConfigReader::Texts(const char* field, std::vector<std::string> standard) {
  const json* value = Find(field);
  if (value == nullptr) return standard;
  if (value->is_array() && std::ranges::all_of(*value, [](const json& v) { return v.is_string(); })) {
    return value->get<std::vector<std::string>>();
  }
  Fault(field, Dump(*value), "a list of texts");
  return standard;
}

std::vector<int> ConfigReader::Ints(const char* field, std::vector<int> standard, int min, int max) {
  const json* value = Find(field);
  if (value == nullptr) return standard;
  if (value->is_array() && !value->empty() &&
      std::ranges::all_of(*value, [&](const json& v) { return IsIntIn(v, min, max); })) {
    return value->get<std::vector<int>>();
  }
  Fault(field, Dump(*value), absl::StrCat("a list of numbers in ", min, "..", max));
  return standard;
}

std::vector<int> ConfigReader::IntPerLevel(const char* field, int standard, size_t count, int min, int max) {
  const json* value = Find(field);
  if (value == nullptr) return std::vector<int>(count, standard);
  if (!value->is_array()) return std::vector<int>(count, Int(field, standard, min, max));
  if (value->size() == count &&
      std::ranges::all_of(*value, [&](const json& v) { return IsIntIn(v, min, max); })) {
    return value->get<std::vector<int>>();
  }
  Fault(field, Dump(*value), absl::StrCat(RangeText(min, max), ", or a list of ", count));
  return std::vector<int>(count, standard);
}

int ConfigReader::SameAtEachLevel(const char* field, int standard, size_t count, int min, int max) {
  const std::vector<int> values = IntPerLevel(field, standard, count, min, max);
  if (std::ranges::any_of(values, [&](int v) { return v != values.front(); })) {
    Fault(field, FoundText(field), "one number for all levels");
  }
  return values.front();
}

bool ConfigReader::Has(const char* field) const {
  const auto found = json_.find(field);
  return found != json_.end() && !found->is_null() && *found != false;
}

void ConfigReader::Require(const char* field, const json& wanted) {
  const json* value = Find(field);
  if (value != nullptr && *value != wanted) Fault(field, Dump(*value), Dump(wanted));
}

void ConfigReader::Ignore(std::initializer_list<const char*> fields) {
  for (const char* field : fields) seen_.insert(field);
}

void ConfigReader::Fault(const std::string& field, const std::string& found, const std::string& wanted) {
  faults_.push_back(absl::StrCat(field, " is ", found, "; wants ", wanted));
}

std::string ConfigReader::FoundText(const char* field) const {
  const auto found = json_.find(field);
  return found == json_.end() ? "missing" : Dump(*found);
}

absl::Status ConfigReader::Finish(UnknownFields unknown) {
  for (const auto& [field, value] : json_.items()) {
    if (unknown == UnknownFields::kIgnore || field.starts_with("_") || seen_.contains(field) ||
        value.is_null() || value == false)
      continue;
    Fault(Quoted(field), Dump(value), "a field that is known");
  }
  if (faults_.empty()) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(name_, ": ", absl::StrJoin(faults_, ", ")));
}

}  // namespace ip2p
