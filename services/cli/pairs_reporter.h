// Tells the user how a pair job goes: one line that is drawn over on a terminal, a line every ten seconds
// otherwise. The job's thread; Cancel from any.
#pragma once

#include <atomic>
#include <string>

#include "absl/time/time.h"
#include "common/pipeline/pair_job.h"
#include "services/cli/console.h"

namespace ip2p {

class PairsReporter final : public PairJobListener {
 public:
  explicit PairsReporter(Console& console) : console_(console) {}
  ~PairsReporter() override;  // ends the terminal's line

  // The job ends at its next step.
  void Cancel() { cancelled_ = true; }
  void Say(const std::string& text);  // a line of its own

  void OnBadRow(int64_t line, const absl::Status& fault) override;
  void OnLoading(const PairJobReport& report) override;
  void OnPrompt(const PairJobReport& report) override;
  absl::Status OnStep(const PairJobReport& report, const PairStep& step) override;

 private:
  void Show(const PairJobReport& report, const PairStep& step, bool now);

  Console& console_;
  std::atomic<bool> cancelled_ = false;
  int bad_rows_told_ = 0;
  size_t width_ = 0;  // of what stands on the line
  absl::Time began_ = absl::InfinitePast();
  absl::Time told_ = absl::InfinitePast();
};

// "3/10 prompts  kept 12 of 300  sample 40/100 step 7/50  1:02:03 left"
std::string FormatPairs(const PairJobReport& report, const PairStep& step, absl::Duration elapsed);

// What a job did: one line for people, one object for programs.
std::string PairReportText(const PairJobReport& report);
std::string PairReportJson(const PairJobReport& report);

}  // namespace ip2p
