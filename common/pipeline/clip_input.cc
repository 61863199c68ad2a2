// Names of ClipInput, apart from edit_scorer.cc since flags need them without torch.
#include "absl/strings/str_cat.h"
#include "common/pipeline/edit_scorer.h"

namespace ip2p {

const char* ClipInputName(ClipInput input) {
  return input == ClipInput::kReference ? "reference" : "standard";
}

absl::StatusOr<ClipInput> ParseClipInput(std::string_view name) {
  for (const ClipInput input : {ClipInput::kStandard, ClipInput::kReference}) {
    if (name == ClipInputName(input)) return input;
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "clip_input is \"", absl::string_view(name.data(), name.size()), "\"; wants standard or reference"));
}

}  // namespace ip2p
