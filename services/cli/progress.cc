// The rate counts from the first step on, so that loading and queueing don't spoil it.
#include "services/cli/progress.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace ip2p {
namespace {

constexpr int kWidestBar = 40;
constexpr int kNarrowestBar = 5;
constexpr double kShortestMeasureSeconds = 0.1;  // pictures of one batch report at once

// "1.9 steps/s" or, when slow, "4.2 s/step".
std::string FormatRate(double rate) {
  return rate >= 1 ? absl::StrFormat("%.1f steps/s", rate) : absl::StrFormat("%.1f s/step", 1 / rate);
}

}  // namespace

Progress::Progress(int count, int steps) : steps_(steps), total_(count * steps), finished_(count, 0) {}

void Progress::Update(int output, int step, absl::Time now) {
  if (output < 0 || output >= static_cast<int>(finished_.size())) return;
  step = std::min(step, steps_);
  if (step <= finished_[output]) return;
  done_ += step - finished_[output];
  finished_[output] = step;
  if (first_ == absl::InfinitePast()) {
    first_ = now;
    first_done_ = done_;
  }
  last_ = now;
}

double Progress::rate() const {
  const double seconds = first_ == absl::InfinitePast() ? 0 : absl::ToDoubleSeconds(last_ - first_);
  return seconds >= kShortestMeasureSeconds ? (done_ - first_done_) / seconds : 0;
}

absl::Duration Progress::eta() const {
  const double speed = rate();
  return speed > 0 ? absl::Seconds((total_ - done_) / speed) : absl::ZeroDuration();
}

std::string FormatClock(absl::Duration duration) {
  const int64_t seconds = std::max<int64_t>(absl::ToInt64Seconds(duration + absl::Milliseconds(500)), 0);
  const int64_t hours = seconds / 3600;
  if (hours > 0) return absl::StrFormat("%d:%02d:%02d", hours, seconds / 60 % 60, seconds % 60);
  return absl::StrFormat("%d:%02d", seconds / 60, seconds % 60);
}

std::string FormatBar(const Progress& progress, int columns) {
  std::string text = absl::StrCat("  ", progress.done(), "/", progress.total());
  if (progress.rate() > 0) {
    absl::StrAppend(&text, "  ", FormatRate(progress.rate()), "  ", FormatClock(progress.eta()), " left");
  }
  const int room = std::min(columns - 2 - static_cast<int>(text.size()), kWidestBar);
  if (room < kNarrowestBar) return text.substr(2, std::max(columns, 0));
  const int filled = progress.total() > 0 ? room * progress.done() / progress.total() : 0;
  return absl::StrCat("[", std::string(filled, '#'), std::string(room - filled, '.'), "]", text);
}

std::string FormatLine(const Progress& progress) {
  std::string text = absl::StrCat("step ", progress.done(), " of ", progress.total());
  if (progress.rate() > 0) {
    absl::StrAppend(&text, ", ", FormatRate(progress.rate()), ", ", FormatClock(progress.eta()), " left");
  }
  return text;
}

}  // namespace ip2p
