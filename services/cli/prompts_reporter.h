// Tells the user how a run goes: one line that is drawn over on a terminal, a line every ten seconds
// otherwise. Not thread-safe.
#pragma once

#include <optional>
#include <string>

#include "absl/time/time.h"
#include "common/prompts/generation_run.h"
#include "services/cli/console.h"

namespace ip2p {

class PromptsReporter final : public RunListener {
 public:
  explicit PromptsReporter(Console& console) : console_(console) {}
  ~PromptsReporter() override;  // tells where the run ended, and ends the terminal's line

  void OnProgress(const RunCounts& counts, std::optional<absl::Duration> remaining) override;
  void OnPause(absl::Duration wait) override;  // told when it is long enough to wonder
  const RunCounts& counts() const { return counts_; }

 private:
  Console& console_;
  RunCounts counts_;
  size_t width_ = 0;  // of what stands on the line
  absl::Time told_ = absl::InfinitePast();
  std::string untold_;  // the last text, when it came too soon after another one
};

// "120/1000  accepted 100  rejected 20  $0.012345  1:20 left"
std::string FormatRun(const RunCounts& counts, std::optional<absl::Duration> remaining);
std::string CountsJson(const RunCounts& counts);

}  // namespace ip2p
