// The keys stand in the reference's order, so that equal samples are equal lines.
#include "common/dataset/sample.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/dataset/json_text.h"

namespace ip2p {
namespace {

constexpr std::array<std::pair<const char*, SampleVerdict>, 6> kVerdicts = {{
    {"passed", SampleVerdict::kPassed},
    {"below_clip", SampleVerdict::kBelowClip},
    {"below_direction", SampleVerdict::kBelowDirection},
    {"below_image", SampleVerdict::kBelowImage},
    {"unsafe", SampleVerdict::kUnsafe},
    {"not_finite", SampleVerdict::kNotFinite},
}};

constexpr std::array<std::pair<const char*, double ClipScores::*>, 4> kScores = {{
    {"clip_sim_0", &ClipScores::sim_0},
    {"clip_sim_1", &ClipScores::sim_1},
    {"clip_sim_dir", &ClipScores::sim_dir},
    {"clip_sim_image", &ClipScores::sim_image},
}};

nlohmann::ordered_json Fields(const Sample& sample) {
  nlohmann::ordered_json line;
  line["seed"] = sample.seed;
  line["p2p_threshold"] = sample.p2p_threshold;
  line["cfg_scale"] = sample.cfg_scale;
  if (sample.scores.has_value()) {
    for (const auto& [key, score] : kScores) line[key] = *sample.scores.*score;
  }
  return line;
}

nlohmann::ordered_json ScoreFields(const Sample& sample) {
  nlohmann::ordered_json line = Fields(sample);
  line["sample_index"] = sample.sample_index;
  line["verdict"] = VerdictName(sample.verdict);
  line["kept"] = sample.kept;
  return line;
}

absl::Status Unlike(const char* key, const char* wanted) {
  return absl::InvalidArgumentError(absl::StrCat(key, " is missing or of another type; wants ", wanted));
}

absl::StatusOr<double> Number(const nlohmann::json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_number()) return Unlike(key, "a number");
  return found->get<double>();
}

absl::StatusOr<SampleVerdict> Verdict(const nlohmann::json& object) {
  const auto found = object.find("verdict");
  if (found == object.end()) return SampleVerdict::kPassed;
  for (const auto& [name, verdict] : kVerdicts) {
    if (found->is_string() && found->get_ref<const std::string&>() == name) return verdict;
  }
  return absl::InvalidArgumentError(
      "verdict is unknown; wants passed, below_clip, below_direction, "
      "below_image, unsafe or not_finite");
}

double Direction(const Sample& sample) { return sample.scores.has_value() ? sample.scores->sim_dir : 0; }

}  // namespace

SampleVerdict Judge(const ClipScores& scores, const ClipThresholds& thresholds) {
  // Written so that NaN passes nothing.
  if (!(scores.sim_0 >= thresholds.clip && scores.sim_1 >= thresholds.clip)) return SampleVerdict::kBelowClip;
  if (!(scores.sim_dir >= thresholds.dir)) return SampleVerdict::kBelowDirection;
  if (!(scores.sim_image >= thresholds.img)) return SampleVerdict::kBelowImage;
  return SampleVerdict::kPassed;
}

const char* VerdictName(SampleVerdict verdict) {
  for (const auto& [name, known] : kVerdicts) {
    if (known == verdict) return name;
  }
  return "unknown";
}

bool BestFirst(const Sample& a, const Sample& b) {
  return std::pair(Direction(a), a.seed) > std::pair(Direction(b), b.seed);
}

void MarkKept(std::span<Sample> samples, int max_out_samples) {
  std::vector<Sample*> passed;
  for (Sample& sample : samples) {
    sample.kept = false;
    if (sample.verdict == SampleVerdict::kPassed) passed.push_back(&sample);
  }
  std::sort(passed.begin(), passed.end(), [](const Sample* a, const Sample* b) { return BestFirst(*a, *b); });
  passed.resize(std::min(passed.size(), static_cast<size_t>(std::max(max_out_samples, 0))));
  for (Sample* const sample : passed) sample->kept = true;
}

std::string MetadataLine(const Sample& sample) { return Fields(sample).dump(); }

std::string ScoreLine(const Sample& sample) { return ScoreFields(sample).dump(); }

std::string ScoreLine(const Sample& sample, const PairDigests& digests) {
  nlohmann::ordered_json line = ScoreFields(sample);
  line["before_sha256"] = digests.before;
  line["after_sha256"] = digests.after;
  return line.dump();
}

std::optional<PairDigests> ParseDigests(std::string_view line) {
  if (line.find("_sha256") == std::string_view::npos) return std::nullopt;  // most lines: not parsed again
  const absl::StatusOr<nlohmann::json> object = ParseJsonObject(line);
  if (!object.ok()) return std::nullopt;
  PairDigests digests{.before = TextOr(*object, "before_sha256").value_or(""),
                      .after = TextOr(*object, "after_sha256").value_or("")};
  if (digests.before.empty() || digests.after.empty()) return std::nullopt;
  return digests;
}

absl::StatusOr<Sample> ParseScoreLine(std::string_view line, int64_t prompt_index) {
  IP2P_ASSIGN_OR_RETURN(const nlohmann::json object, ParseJsonObject(line));
  Sample sample{.prompt_index = prompt_index};
  const auto seed = object.find("seed");
  if (seed == object.end() || !seed->is_number_unsigned()) return Unlike("seed", "a whole number from 0");
  sample.seed = seed->get<uint64_t>();
  IP2P_ASSIGN_OR_RETURN(sample.p2p_threshold, Number(object, "p2p_threshold"));
  IP2P_ASSIGN_OR_RETURN(sample.cfg_scale, Number(object, "cfg_scale"));
  const bool scored = std::any_of(kScores.begin(), kScores.end(),
                                  [&object](const auto& score) { return object.contains(score.first); });
  if (scored) {
    sample.scores.emplace();
    for (const auto& [key, score] : kScores) {
      IP2P_ASSIGN_OR_RETURN(*sample.scores.*score, Number(object, key));
    }
  }
  IP2P_ASSIGN_OR_RETURN(sample.verdict, Verdict(object));
  const auto index = object.find("sample_index");
  if (index != object.end()) {
    if (!index->is_number_unsigned() || index->get<uint64_t>() > 1'000'000'000) {
      return Unlike("sample_index", "0..10^9");
    }
    sample.sample_index = index->get<int>();
  }
  const auto kept = object.find("kept");
  if (kept != object.end() && !kept->is_boolean()) return Unlike("kept", "true or false");
  sample.kept = kept == object.end() || kept->get<bool>();
  return sample;
}

}  // namespace ip2p
