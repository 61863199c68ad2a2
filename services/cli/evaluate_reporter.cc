#include "services/cli/evaluate_reporter.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "services/cli/progress.h"

namespace ip2p {
namespace {

constexpr absl::Duration kBetweenLines = absl::Seconds(10);
constexpr int kLeftOutTold = 10;

}  // namespace

std::string FormatEvaluation(const EvaluationProgress& progress, absl::Duration elapsed) {
  std::string text = absl::StrCat(progress.samples, "/", progress.wanted, " samples");
  if (progress.left_out > 0) absl::StrAppend(&text, ", ", progress.left_out, " left out");
  if (progress.steps > 0 && progress.all_steps > progress.steps) {
    const double share = static_cast<double>(progress.all_steps - progress.steps) / progress.steps;
    absl::StrAppend(&text, ", ", FormatClock(elapsed * share), " left");
  }
  return text;
}

EvaluateReporter::~EvaluateReporter() {
  if (width_ > 0) console_.err << "\n" << std::flush;
}

void EvaluateReporter::Say(const std::string& text) {
  if (width_ > 0) console_.err << "\r" << std::string(width_, ' ') << "\r";
  width_ = 0;
  console_.err << text << "\n" << std::flush;
}

void EvaluateReporter::OnLeftOut(const SampleRecord& record) {
  if (++left_out_told_ > kLeftOutTold) return;
  Say(absl::StrCat("sample ", record.sample, " (example ", record.example,
                   " of the split) is left out: ", record.fault));
  if (left_out_told_ == kLeftOutTold) Say("more such samples are only counted");
}

absl::Status EvaluateReporter::OnProgress(const EvaluationProgress& progress) {
  if (cancelled_) return absl::CancelledError("cancelled; the same command goes on where this ended");
  const absl::Time now = console_.clock->Now();
  if (began_ == absl::InfinitePast()) {
    began_ = told_ = now;
    if (progress.samples > 0)
      Say(absl::StrCat(progress.samples, " of ", progress.wanted, " samples are done already"));
  }
  const std::string text = FormatEvaluation(progress, now - began_);
  if (console_.terminal) {
    const std::string line = text.substr(0, static_cast<size_t>(std::max(console_.columns - 1, 1)));
    console_.err << "\r" << line << std::string(width_ > line.size() ? width_ - line.size() : 0, ' ')
                 << std::flush;
    width_ = line.size();
  } else if (now - told_ >= kBetweenLines) {
    told_ = now;
    console_.err << text << "\n" << std::flush;
  }
  return absl::OkStatus();
}

}  // namespace ip2p
