#include "common/evaluation/sample_record.h"

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/dataset/json_text.h"

namespace ip2p {
namespace {

using Json = nlohmann::json;

absl::Status Wrong(const char* key, const char* wanted) {
  return absl::InvalidArgumentError(absl::StrCat(key, " is missing or of another type; wants ", wanted));
}

absl::StatusOr<double> Number(const Json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_number()) return Wrong(key, "a number");
  return found->get<double>();
}

absl::StatusOr<int64_t> Count(const Json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_number_unsigned()) return Wrong(key, "a whole number");
  return found->get<int64_t>();
}

absl::StatusOr<EditRecord> ParseEdit(const Json& json) {
  if (!json.is_object()) return Wrong("edits", "objects");
  EditRecord edit;
  IP2P_ASSIGN_OR_RETURN(edit.guidance.text, Number(json, "text_guidance"));
  IP2P_ASSIGN_OR_RETURN(edit.guidance.image, Number(json, "image_guidance"));
  for (size_t i = 0; i < kMetricNames.size(); ++i) {
    if (!json.contains(kMetricNames[i])) continue;
    IP2P_ASSIGN_OR_RETURN(edit.figures[i], Number(json, kMetricNames[i]));
  }
  return edit;
}

}  // namespace

std::string SampleLine(const SampleRecord& record) {
  nlohmann::ordered_json json = {{"sample", record.sample},
                                 {"example", record.example},
                                 {"choice", record.choice},
                                 {"seed", record.seed}};
  if (!record.fault.empty()) json["fault"] = record.fault;
  if (record.fault.empty()) json["edits"] = nlohmann::ordered_json::array();
  for (const EditRecord& edit : record.edits) {
    nlohmann::ordered_json one = {{"text_guidance", edit.guidance.text},
                                  {"image_guidance", edit.guidance.image}};
    for (size_t i = 0; i < kMetricNames.size(); ++i) {
      if (edit.figures[i].has_value()) one[kMetricNames[i]] = *edit.figures[i];
    }
    json["edits"].push_back(std::move(one));
  }
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

absl::StatusOr<SampleRecord> ParseSampleLine(std::string_view line) {
  IP2P_ASSIGN_OR_RETURN(const Json json, ParseJsonObject(line));
  SampleRecord record;
  IP2P_ASSIGN_OR_RETURN(record.sample, Count(json, "sample"));
  IP2P_ASSIGN_OR_RETURN(record.example, Count(json, "example"));
  IP2P_ASSIGN_OR_RETURN(record.choice, Count(json, "choice"));
  IP2P_ASSIGN_OR_RETURN(const int64_t seed, Count(json, "seed"));
  record.seed = static_cast<uint32_t>(seed);
  IP2P_ASSIGN_OR_RETURN(record.fault, TextOr(json, "fault"));
  if (!record.fault.empty()) return record;
  const auto edits = json.find("edits");
  if (edits == json.end() || !edits->is_array()) return Wrong("edits", "a list");
  for (const Json& one : *edits) {
    IP2P_ASSIGN_OR_RETURN(EditRecord edit, ParseEdit(one));
    record.edits.push_back(std::move(edit));
  }
  return record;
}

}  // namespace ip2p
