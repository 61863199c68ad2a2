// One list of fields serves both directions.
#include "common/pipeline/pair_settings.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/base/status_macros.h"

namespace ip2p {
namespace {

constexpr const char* kSeeds = "seeds";
constexpr const char* kCommonSteps = "common_steps";
constexpr const char* kWholeCommonSteps = "whole_common_steps";

// Calls visit(name, field) for each; Params is PairParams or const PairParams.
template <typename Params, typename Visit>
void ForEachField(Params& params, const Visit& visit) {
  visit("steps", params.steps);
  visit("n_samples", params.n_samples);
  visit("max_out_samples", params.max_out_samples);
  visit("min_p2p", params.min_p2p);
  visit("max_p2p", params.max_p2p);
  visit("min_cfg", params.min_cfg);
  visit("max_cfg", params.max_cfg);
  visit("clip_threshold", params.thresholds.clip);
  visit("clip_dir_threshold", params.thresholds.dir);
  visit("clip_img_threshold", params.thresholds.img);
  visit("resolution", params.resolution);
  visit("seed", params.seed);
  visit("early_stop", params.early_stop);
  visit("safety_check", params.safety_check);
}

bool Fits(const nlohmann::ordered_json& value, const int&) {
  return value.is_number_integer() && value.get<int64_t>() >= INT32_MIN && value.get<int64_t>() <= INT32_MAX;
}
bool Fits(const nlohmann::ordered_json& value, const uint64_t&) { return value.is_number_unsigned(); }
bool Fits(const nlohmann::ordered_json& value, const double&) { return value.is_number(); }
bool Fits(const nlohmann::ordered_json& value, const bool&) { return value.is_boolean(); }

}  // namespace

RunSettings SettingsOf(const PairParams& params) {
  RunSettings settings;
  ForEachField(params, [&settings](const char* name, const auto& field) { settings[name] = field; });
  settings[kSeeds] = absl::StrJoin(params.seeds, ",");
  // Said where there are any, so that datasets from before there was a choice are continued.
  if (params.common_steps > 0) settings[kCommonSteps] = params.common_steps;
  if (params.whole_common_steps) settings[kWholeCommonSteps] = *params.whole_common_steps;
  return settings;
}

absl::StatusOr<PairParams> ParamsOf(const RunSettings& settings) {
  PairParams params;
  std::string fault;
  ForEachField(params, [&](const char* name, auto& field) {
    const auto found = settings.find(name);
    if (found != settings.end() && Fits(*found, field)) {
      found->get_to(field);
    } else if (fault.empty()) {
      fault =
          absl::StrCat(name, " is missing or of another type in run.json; wants what pairs generate wrote");
    }
  });
  if (!fault.empty()) return absl::InvalidArgumentError(fault);
  for (const char* const name : {kCommonSteps, kWholeCommonSteps}) {
    const auto common = settings.find(name);
    if (common == settings.end()) continue;
    if (!common->is_number()) {
      return absl::InvalidArgumentError(
          absl::StrCat(name, " of run.json is no number; wants what pairs generate wrote"));
    }
    (name == kCommonSteps ? params.common_steps : params.whole_common_steps.emplace()) =
        common->get<double>();
  }
  const auto seeds = settings.find(kSeeds);
  if (seeds != settings.end() && seeds->is_string()) {
    IP2P_ASSIGN_OR_RETURN(params.seeds, ParseSeedList(seeds->get<std::string>()));
  }
  IP2P_RETURN_IF_ERROR(ValidatePairs(params));
  return params;
}

absl::StatusOr<std::vector<uint64_t>> ParseSeedList(const std::string& text) {
  std::vector<uint64_t> seeds;
  if (text.empty()) return seeds;
  for (const absl::string_view part : absl::StrSplit(text, ',')) {
    if (!absl::SimpleAtoi(absl::StripAsciiWhitespace(part), &seeds.emplace_back())) {
      return absl::InvalidArgumentError(
          absl::StrCat("seeds holds \"", part, "\"; wants whole numbers in 0..2^64-1, separated by commas"));
    }
  }
  return seeds;
}

}  // namespace ip2p
