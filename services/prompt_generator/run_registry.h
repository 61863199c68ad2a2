// The work under way, so that there is not too much of it and it can be stopped. The loop's thread.
#pragma once

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "common/base/cancel_token.h"

namespace ip2p::prompt_generator {

class RunRegistry {
 public:
  explicit RunRegistry(int max_runs) : max_runs_(max_runs) {}

  // RESOURCE_EXHAUSTED: enough runs already. UNAVAILABLE: stopping.
  absl::Status Add(CancelToken* cancel);
  void Remove(CancelToken* cancel) { runs_.erase(cancel); }
  // Cancels what is under way and admits nothing any more.
  void Stop();

  bool stopping() const { return stopping_; }

 private:
  const int max_runs_;
  bool stopping_ = false;
  absl::flat_hash_set<CancelToken*> runs_;
};

}  // namespace ip2p::prompt_generator
