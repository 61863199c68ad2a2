// Tells the user how an evaluation goes: one line that is drawn over on a terminal, a line every ten seconds
// otherwise. The evaluation's thread; Cancel from any.
#pragma once

#include <atomic>
#include <string>

#include "absl/time/time.h"
#include "common/evaluation/evaluate.h"
#include "services/cli/console.h"

namespace ip2p {

class EvaluateReporter final : public EvaluationListener {
 public:
  explicit EvaluateReporter(Console& console) : console_(console) {}
  ~EvaluateReporter() override;  // ends the terminal's line

  // The evaluation ends at its next step.
  void Cancel() { cancelled_ = true; }

  absl::Status OnProgress(const EvaluationProgress& progress) override;
  void OnLeftOut(const SampleRecord& record) override;

 private:
  void Say(const std::string& text);  // a line of its own

  Console& console_;
  std::atomic<bool> cancelled_ = false;
  int left_out_told_ = 0;
  size_t width_ = 0;  // of what stands on the line
  absl::Time began_ = absl::InfinitePast();
  absl::Time told_ = absl::InfinitePast();
};

// "12/5000 samples, 1 left out, 1:02:03 left".
std::string FormatEvaluation(const EvaluationProgress& progress, absl::Duration elapsed);

}  // namespace ip2p
