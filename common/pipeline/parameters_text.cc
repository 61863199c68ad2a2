// Pure.
#include "common/pipeline/parameters_text.h"

#include "absl/strings/str_cat.h"
#include "common/diffusion/kinds.h"

namespace ip2p {

std::string ParametersText(const EditParams& params, const EditOutput& output, const std::string& model) {
  std::string text = absl::StrCat(params.instruction, "\n");
  if (!params.negative.empty()) absl::StrAppend(&text, "Negative prompt: ", params.negative, "\n");
  absl::StrAppend(&text, "Steps: ", params.steps, ", Sampler: ", SamplerName(params.sampler),
                  ", Schedule type: ", ScheduleName(params.schedule), ", CFG scale: ", params.cfg_text,
                  ", Image CFG scale: ", params.cfg_image, ", Seed: ", output.seed);
  if (KeepsTheRest(params)) {
    absl::StrAppend(&text, ", Mask: ");
    if (params.auto_mask) {
      absl::StrAppend(&text, "auto ", *params.auto_mask);
    } else {
      absl::StrAppend(&text, "given");
    }
    absl::StrAppend(&text, ", Mask feather: ", params.mask_feather);
  }
  absl::StrAppend(&text, ", Size: ", output.image.width, "x", output.image.height);
  if (!model.empty()) absl::StrAppend(&text, ", Model: ", model);
  absl::StrAppend(&text, ", Version: ip2p ", IP2P_VERSION);
  return text;
}

}  // namespace ip2p
