// The guidance formula, and its shorter forms where a coefficient is zero. See the header.
#include "common/diffusion/guidance.h"

namespace ip2p {

std::vector<GuidanceBranch> GuidanceBranches(const GuidanceScales& scales, bool with_difference) {
  std::vector<GuidanceBranch> branches;
  for (const GuidanceBranch& branch :
       {GuidanceBranch{true, true, scales.text}, GuidanceBranch{false, true, scales.image - scales.text},
        GuidanceBranch{false, false, 1 - scales.image}}) {
    if (branch.coefficient != 0 || (with_difference && branch.image)) branches.push_back(branch);
  }
  return branches;
}

torch::Tensor Guide(const torch::Tensor& outputs, const GuidanceScales& scales, bool with_difference) {
  const std::vector<GuidanceBranch> branches = GuidanceBranches(scales, with_difference);
  TORCH_CHECK(outputs.dim() == 4 && outputs.size(0) == static_cast<int64_t>(branches.size()), "guidance has ",
              outputs.sizes(), "; wants ", branches.size(), " branches of [C,h,w]");
  const torch::Tensor e = outputs.to(torch::kFloat32);
  if (branches.size() == 3) {
    // The reference's own order of operations, for its rounding.
    const torch::Tensor full = e.narrow(0, 0, 1), image = e.narrow(0, 1, 1), none = e.narrow(0, 2, 1);
    return none + scales.image * (image - none) + scales.text * (full - image);
  }
  torch::Tensor guided = e.narrow(0, 0, 1) * branches[0].coefficient;
  for (size_t i = 1; i < branches.size(); ++i) {
    guided = guided + e.narrow(0, static_cast<int64_t>(i), 1) * branches[i].coefficient;
  }
  return guided;
}

}  // namespace ip2p
