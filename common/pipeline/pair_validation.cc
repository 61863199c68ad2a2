// Every limit of pair generation in one place, for the server, the client and the job alike.
#include <algorithm>

#include "absl/strings/str_format.h"
#include "common/base/field_faults.h"
#include "common/pipeline/pair_types.h"

namespace ip2p {
namespace {

constexpr int kMaxSamples = 10'000;
constexpr int kMaxOutSamples = 1000;

void CheckSeeds(std::vector<uint64_t> seeds, FieldFaults& faults) {
  if (seeds.size() > kMaxSamples) {
    faults.Add(absl::StrFormat("seeds are %d; wants at most %d", seeds.size(), kMaxSamples));
    return;
  }
  std::sort(seeds.begin(), seeds.end());
  const auto twice = std::adjacent_find(seeds.begin(), seeds.end());
  if (twice != seeds.end()) {
    faults.Add(absl::StrFormat("seeds hold %d twice; wants each once", *twice));
  }
}

}  // namespace

absl::Status ValidatePairs(const PairParams& params) {
  FieldFaults faults;
  faults.Whole("steps", params.steps, 1, kMaxSteps);
  faults.Whole("n_samples", params.n_samples, 1, kMaxSamples);
  faults.Whole("max_out_samples", params.max_out_samples, 1, kMaxOutSamples);
  faults.Number("min_p2p", params.min_p2p, 0, 1);
  faults.Number("max_p2p", params.max_p2p, params.min_p2p, 1);
  faults.Number("common_steps", params.common_steps, 0, 1);
  if (params.whole_common_steps) faults.Number("whole_common_steps", *params.whole_common_steps, 0, 1);
  faults.Number("min_cfg", params.min_cfg, 0, kMaxGuidance);
  faults.Number("max_cfg", params.max_cfg, params.min_cfg, kMaxGuidance);
  faults.Number("clip_threshold", params.thresholds.clip, -1, 1);
  faults.Number("clip_dir_threshold", params.thresholds.dir, -1, 1);
  faults.Number("clip_img_threshold", params.thresholds.img, -1, 1);
  if (params.resolution < 64 || params.resolution > kMaxPairResolution || params.resolution % 64 != 0) {
    faults.Add(absl::StrFormat("resolution is %d; wants a multiple of 64 in 64..%d", params.resolution,
                               kMaxPairResolution));
  }
  CheckSeeds(params.seeds, faults);
  return faults.status();
}

absl::Status ValidatePairPrompt(const PairPrompt& prompt) {
  FieldFaults faults;
  for (const auto& [name, text] : {std::pair{"caption", &prompt.caption}, {"output", &prompt.output}}) {
    if (text->empty()) faults.Add(absl::StrCat(name, " is missing; wants a text"));
    faults.Text(name, *text);
  }
  return faults.status();
}

}  // namespace ip2p
