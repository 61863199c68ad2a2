// Names of the closed choices: one table each, read in both directions.
#include "common/diffusion/kinds.h"

#include <array>
#include <string>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace ip2p {
namespace {

template <typename Kind, size_t N>
using NameTable = std::array<std::pair<Kind, const char*>, N>;

constexpr NameTable<SamplerKind, 10> kSamplers = {{{SamplerKind::kEulerA, "euler_a"},
                                                   {SamplerKind::kEuler, "euler"},
                                                   {SamplerKind::kHeun, "heun"},
                                                   {SamplerKind::kDpm2A, "dpm2_a"},
                                                   {SamplerKind::kDpmpp2SA, "dpmpp_2s_a"},
                                                   {SamplerKind::kDpmpp2M, "dpmpp_2m"},
                                                   {SamplerKind::kDpmpp2MSde, "dpmpp_2m_sde"},
                                                   {SamplerKind::kDdim, "ddim"},
                                                   {SamplerKind::kLms, "lms"},
                                                   {SamplerKind::kUniPc, "unipc"}}};
constexpr NameTable<SigmaSchedule, 3> kSchedules = {{{SigmaSchedule::kDefault, "default"},
                                                     {SigmaSchedule::kKarras, "karras"},
                                                     {SigmaSchedule::kExponential, "exponential"}}};
constexpr NameTable<Precision, 4> kPrecisions = {{{Precision::kAuto, "auto"},
                                                  {Precision::kFloat32, "fp32"},
                                                  {Precision::kBFloat16, "bf16"},
                                                  {Precision::kFloat16, "fp16"}}};

template <typename Kind, size_t N>
const char* NameOf(const NameTable<Kind, N>& table, Kind kind) {
  for (const auto& [value, name] : table) {
    if (value == kind) return name;
  }
  return "unknown";
}

template <typename Kind, size_t N>
absl::StatusOr<Kind> Parse(const char* field, const NameTable<Kind, N>& table, std::string_view text) {
  for (const auto& [value, name] : table) {
    if (name == text) return value;
  }
  constexpr size_t kShown =
      40;  // the text is a client's: whatever it holds, the answer stays one line of ASCII
  const std::string shown = absl::CHexEscape(std::string(text.substr(0, kShown)));
  return absl::InvalidArgumentError(absl::StrCat(
      field, " is \"", shown, text.size() > kShown ? "...\"" : "\"", "; wants one of ",
      absl::StrJoin(table, ", ", [](std::string* out, const auto& entry) { out->append(entry.second); })));
}

}  // namespace

const char* SamplerName(SamplerKind kind) { return NameOf(kSamplers, kind); }
const char* ScheduleName(SigmaSchedule schedule) { return NameOf(kSchedules, schedule); }
const char* PrecisionName(Precision precision) { return NameOf(kPrecisions, precision); }

absl::StatusOr<SamplerKind> ParseSampler(std::string_view name) { return Parse("sampler", kSamplers, name); }
absl::StatusOr<SigmaSchedule> ParseSchedule(std::string_view name) {
  return Parse("schedule", kSchedules, name);
}
absl::StatusOr<Precision> ParsePrecision(std::string_view name) {
  return Parse("precision", kPrecisions, name);
}

std::vector<SamplerKind> AllSamplers() {
  std::vector<SamplerKind> kinds;
  for (const auto& entry : kSamplers) kinds.push_back(entry.first);
  return kinds;
}

int EvaluationsFor(SamplerKind kind, int steps) {
  switch (kind) {
    case SamplerKind::kHeun:
    case SamplerKind::kDpm2A:
    case SamplerKind::kDpmpp2SA:
      return 2 * steps - 1;
    default:
      return steps;
  }
}

}  // namespace ip2p
