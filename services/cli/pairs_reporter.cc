#include "services/cli/pairs_reporter.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/json.h"
#include "services/cli/progress.h"

namespace ip2p {
namespace {

constexpr absl::Duration kBetweenLines = absl::Seconds(10);
constexpr int kBadRowsTold = 20;

}  // namespace

std::string FormatPairs(const PairJobReport& report, const PairStep& step, absl::Duration elapsed) {
  const int64_t total = report.resumed + report.finished + report.left;
  std::string text = absl::StrFormat("%d/%d prompts  kept %d of %d  sample %d/%d step %d/%d",
                                     report.resumed + report.finished, total, report.kept, report.sampled,
                                     step.samples_done, step.samples_total, step.step, step.steps);
  // Prompts of this run, the present one in part.
  const double part =
      step.samples_total > 0 ? static_cast<double>(step.samples_done) / step.samples_total : 0;
  const double done = static_cast<double>(report.finished) + part;
  if (done > 0 && report.left > 0) {
    absl::StrAppend(&text, "  ", FormatClock(elapsed / done * (static_cast<double>(report.left) - part)),
                    " left");
  }
  return text;
}

std::string PairReportText(const PairJobReport& report) {
  std::string text = absl::StrFormat(
      "%d prompts finished, %d before, %d left; %d samples, %d passed, %d pairs kept", report.finished,
      report.resumed, report.left, report.sampled, report.passed, report.kept);
  if (report.without_pairs > 0) absl::StrAppend(&text, "; ", report.without_pairs, " prompts without a pair");
  if (report.bad_rows > 0) absl::StrAppend(&text, "; ", report.bad_rows, " rows are no prompts");
  if (report.saved > 0) {
    absl::StrAppendFormat(
        &text, "; early stop saved %d samples (%.0f %%)", report.saved,
        100.0 * static_cast<double>(report.saved) / static_cast<double>(report.saved + report.sampled));
  }
  return text;
}

std::string PairReportJson(const PairJobReport& report) {
  nlohmann::ordered_json json;
  json["rows"] = report.rows;
  json["bad_rows"] = report.bad_rows;
  json["resumed"] = report.resumed;
  json["finished"] = report.finished;
  json["left"] = report.left;
  json["without_pairs"] = report.without_pairs;
  json["sampled"] = report.sampled;
  json["passed"] = report.passed;
  json["kept"] = report.kept;
  json["saved_by_early_stop"] = report.saved;
  nlohmann::ordered_json& verdicts = json["verdicts"];
  for (size_t i = 0; i < report.verdicts.size(); ++i) {
    verdicts[VerdictName(static_cast<SampleVerdict>(i))] = report.verdicts[i];
  }
  json["elsewhere"] = report.elsewhere;
  return json.dump() + "\n";
}

PairsReporter::~PairsReporter() {
  if (width_ > 0) console_.err << "\n" << std::flush;
}

void PairsReporter::Say(const std::string& text) {
  if (width_ > 0) console_.err << "\r" << std::string(width_, ' ') << "\r";
  width_ = 0;
  console_.err << text << "\n" << std::flush;
}

void PairsReporter::OnBadRow(int64_t line, const absl::Status& fault) {
  if (++bad_rows_told_ > kBadRowsTold) return;
  Say(absl::StrCat("line ", line, " is left out: ", fault.message()));
  if (bad_rows_told_ == kBadRowsTold) Say("more such lines are only counted");
}

void PairsReporter::OnLoading(const PairJobReport& report) {
  Say(absl::StrFormat("%d prompts are left, %d are finished; loading the models", report.left,
                      report.resumed));
  began_ = told_ = console_.clock->Now();
}

void PairsReporter::OnPrompt(const PairJobReport& report) { Show(report, {}, report.left == 0); }

absl::Status PairsReporter::OnStep(const PairJobReport& report, const PairStep& step) {
  if (cancelled_) return absl::CancelledError("cancelled; the same command goes on where this ended");
  Show(report, step, false);
  return absl::OkStatus();
}

void PairsReporter::Show(const PairJobReport& report, const PairStep& step, bool now) {
  const absl::Time time = console_.clock->Now();
  const std::string text = FormatPairs(report, step, time - began_);
  if (console_.terminal) {
    const std::string line = text.substr(0, static_cast<size_t>(std::max(console_.columns - 1, 1)));
    console_.err << "\r" << line << std::string(width_ > line.size() ? width_ - line.size() : 0, ' ')
                 << std::flush;
    width_ = line.size();
  } else if (now || time - told_ >= kBetweenLines) {
    told_ = time;
    console_.err << text << "\n" << std::flush;
  }
}

}  // namespace ip2p
