// The line is drawn over itself with a carriage return, shorter texts padded, so no escape codes are needed.
#include "services/cli/train_reporter.h"

#include "absl/strings/str_cat.h"
#include "services/cli/print_json.h"
#include "services/cli/sparkline.h"
#include "services/cli/train_text.h"

namespace ip2p {
namespace {

constexpr absl::Duration kBetweenLines = absl::Seconds(10);
constexpr size_t kCurvePoints = 24;  // of the whole watch: what a line has room for

}  // namespace

TrainReporter::TrainReporter(Console& console, bool json)
    : console_(console), json_(json), losses_(kCurvePoints) {}

TrainReporter::~TrainReporter() {
  if (width_ > 0) console_.err << "\n" << std::flush;
}

absl::Status TrainReporter::Show(const training::v1::Job& job) {
  if (json_) return PrintJsonLine(job, console_.out);
  if (job.has_metrics() && job.metrics().step() != last_step_) {
    last_step_ = job.metrics().step();
    losses_.Add(static_cast<double>(last_step_), job.metrics().loss());
  }
  if (console_.terminal) {
    Draw(job);
  } else {
    TellLine(job);
  }
  return absl::OkStatus();
}

void TrainReporter::Say(const std::string& text) {
  Clear();
  console_.err << text << "\n" << std::flush;
}

void TrainReporter::Draw(const training::v1::Job& job) {
  const int columns = console_.columns - 1;  // a full line would wrap
  const std::string line = TrainBar(job, losses_.Y(), columns, console_.unicode);
  const size_t width = DisplayWidth(line);
  console_.err << "\r" << line << std::string(width_ > width ? width_ - width : 0, ' ') << std::flush;
  width_ = width;
}

void TrainReporter::TellLine(const training::v1::Job& job) {
  const absl::Time now = console_.clock->Now();
  const std::string stand = StandText(job);
  if (stand == told_stand_ && now - told_ < kBetweenLines) return;
  told_stand_ = stand;
  told_ = now;
  const std::string figures = FiguresText(job);
  console_.err << stand << (figures.empty() ? "" : ": ") << figures << "\n" << std::flush;
}

void TrainReporter::Clear() {
  if (width_ == 0) return;
  console_.err << "\r" << std::string(width_, ' ') << "\r";
  width_ = 0;
}

}  // namespace ip2p
