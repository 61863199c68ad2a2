#include "services/prompt_generator/run_registry.h"

#include "absl/strings/str_cat.h"

namespace ip2p::prompt_generator {

absl::Status RunRegistry::Add(CancelToken* cancel) {
  if (stopping_) return absl::UnavailableError("the server is stopping; try again, or another one");
  if (static_cast<int>(runs_.size()) >= max_runs_) {
    return absl::ResourceExhaustedError(
        absl::StrCat(runs_.size(), " runs are under way; wants fewer than ", max_runs_, " to begin another"));
  }
  runs_.insert(cancel);
  return absl::OkStatus();
}

void RunRegistry::Stop() {
  stopping_ = true;
  const absl::flat_hash_set<CancelToken*> runs = runs_;  // a cancelled one may remove itself
  for (CancelToken* const run : runs) run->Cancel();
}

}  // namespace ip2p::prompt_generator
