#include "common/evaluation/evaluation_options.h"

#include <set>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/base/field_faults.h"
#include "common/base/limits.h"

namespace ip2p {
namespace {

constexpr size_t kMaxGuidances = 256;  // edits of one photo, which are in memory together
constexpr int64_t kMaxSamples = 1'000'000;

absl::string_view Shown(std::string_view text) { return {text.data(), text.size()}; }

void CheckGuidance(const char* field, const std::vector<double>& values, FieldFaults& faults) {
  if (values.empty()) faults.Add(absl::StrCat(field, " is empty; wants at least one number"));
  std::set<std::string> seen;  // as they are written in columns and names of files
  for (const double value : values) {
    faults.Number(field, value, 0, kMaxGuidance);
    if (!seen.insert(absl::StrFormat("%g", value)).second)
      faults.Add(absl::StrFormat("%s holds %g twice; wants different numbers", field, value));
  }
}

}  // namespace

std::vector<Guidance> GuidancesOf(const EvaluationOptions& options) {
  std::vector<Guidance> all;
  for (const double text : options.text_guidance) {
    for (const double image : options.image_guidance) all.push_back({text, image});
  }
  return all;
}

absl::Status ValidateEvaluation(const EvaluationOptions& o) {
  FieldFaults faults;
  faults.Whole("max_samples", o.max_samples, 1, kMaxSamples);
  if (o.resolution < 64 || o.resolution > kMaxResolution || o.resolution % 64 != 0)
    faults.Add(
        absl::StrFormat("resolution is %d; wants a multiple of 64 in 64..%d", o.resolution, kMaxResolution));
  faults.Whole("steps", o.steps, 1, kMaxSteps);
  CheckGuidance("text_guidance", o.text_guidance, faults);
  CheckGuidance("image_guidance", o.image_guidance, faults);
  const size_t edits = o.text_guidance.size() * o.image_guidance.size();
  if (edits > kMaxGuidances)
    faults.Add(absl::StrFormat("text_guidance and image_guidance make %d edits of a photo; wants at most %d",
                               edits, kMaxGuidances));
  return faults.status();
}

RunSettings SettingsOf(const EvaluationOptions& o) {
  return {{"split", SplitName(o.split)},
          {"resolution", o.resolution},
          {"steps", o.steps},
          {"text_guidance", o.text_guidance},
          {"image_guidance", o.image_guidance},
          {"seed", o.seed},
          {"clip_input", ClipInputName(o.clip_input)},
          {"save_images", o.save_images}};
}

const char* SplitName(Split split) {
  switch (split) {
    case Split::kTrain:
      return "train";
    case Split::kValidation:
      return "val";
    default:
      return "test";
  }
}

absl::StatusOr<Split> ParseSplit(std::string_view name) {
  for (const Split split : {Split::kTrain, Split::kValidation, Split::kTest}) {
    if (name == SplitName(split)) return split;
  }
  return absl::InvalidArgumentError(absl::StrCat("split is \"", Shown(name), "\"; wants train, val or test"));
}

absl::StatusOr<std::vector<double>> ParseGuidanceList(const char* field, std::string_view text) {
  std::vector<double> values;
  for (const absl::string_view part : absl::StrSplit(Shown(text), ',')) {
    if (!absl::SimpleAtod(absl::StripAsciiWhitespace(part), &values.emplace_back())) {
      return absl::InvalidArgumentError(
          absl::StrCat(field, " holds \"", part, "\"; wants numbers, separated by commas"));
    }
  }
  return values;
}

}  // namespace ip2p
