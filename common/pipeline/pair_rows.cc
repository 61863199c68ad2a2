// See pair_rows.h.
#include "common/pipeline/pair_rows.h"

namespace ip2p {

PairRows PlanPairRows(const std::vector<bool>& shares, PairPhase phase) {
  const bool equal_latents = phase == PairPhase::kOne || phase == PairPhase::kParting;
  PairRows plan;
  plan.row_of.resize(shares.size());
  auto add = [&](size_t pair, PairBranch branch) {
    const int64_t image = branch == kUncond1 || branch == kCond1 ? 1 : 0;
    const bool conditional = branch == kCond0 || branch == kCond1;
    plan.row_of[pair][branch] = static_cast<int64_t>(plan.rows.size());
    plan.rows.push_back({.pair = static_cast<int64_t>(pair),
                         .image = image,
                         .text = conditional ? kFirstCaption + image : kEmptyText});
  };
  if (phase == PairPhase::kOne) {
    for (size_t p = 0; p < shares.size(); ++p) {
      add(p, kUncond0);
      add(p, kCond0);
      plan.row_of[p][kUncond1] = plan.row_of[p][kUncond0];
      plan.row_of[p][kCond1] = plan.row_of[p][kCond0];
    }
    return plan;
  }
  for (size_t p = 0; p < shares.size(); ++p) {  // owners of maps that are borrowed
    if (!shares[p]) continue;
    if (!equal_latents) add(p, kUncond0);
    add(p, kCond0);
  }
  plan.borrowers = static_cast<int64_t>(plan.rows.size());
  for (size_t p = 0; p < shares.size(); ++p) {  // rows of their own maps
    if (!shares[p] && phase == PairPhase::kSecond) {
      add(p, kUncond1);
      add(p, kCond1);
      plan.row_of[p][kUncond0] = plan.row_of[p][kUncond1];
      plan.row_of[p][kCond0] = plan.row_of[p][kCond1];
      continue;
    }
    if (!shares[p] || equal_latents) add(p, kUncond0);
    if (!shares[p] && !equal_latents) add(p, kUncond1);
    if (!shares[p]) {
      add(p, kCond0);
      add(p, kCond1);
    }
    if (equal_latents) plan.row_of[p][kUncond1] = plan.row_of[p][kUncond0];
  }
  for (size_t p = 0; p < shares.size(); ++p) {  // borrowers, in the owners' order
    if (!shares[p]) continue;
    if (!equal_latents) add(p, kUncond1);
    add(p, kCond1);
  }
  return plan;
}

}  // namespace ip2p
