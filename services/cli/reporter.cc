// The bar is drawn over itself with a carriage return, shorter texts padded, so no escape codes are needed.
#include "services/cli/reporter.h"

#include <algorithm>

namespace ip2p {

Reporter::Reporter(Console& console, int count, int steps) : console_(console), progress_(count, steps) {}

Reporter::~Reporter() {
  if (bar_width_ > 0) console_.err << "\n" << std::flush;
}

void Reporter::Say(const std::string& text) {
  ClearBar();
  console_.err << text << "\n" << std::flush;
}

void Reporter::Step(int output, int step) {
  progress_.Update(output, step, console_.clock->Now());
  if (console_.terminal) {
    const std::string bar = FormatBar(progress_, console_.columns - 1);  // a full line would wrap
    const size_t blanks = bar_width_ > bar.size() ? bar_width_ - bar.size() : 0;
    console_.err << "\r" << bar << std::string(blanks, ' ') << std::flush;
    bar_width_ = bar.size();
    return;
  }
  const int tenths = progress_.total() > 0 ? progress_.done() * 10 / progress_.total() : 0;
  if (tenths <= tenths_told_) return;
  tenths_told_ = tenths;
  console_.err << FormatLine(progress_) << "\n" << std::flush;
}

void Reporter::ClearBar() {
  if (bar_width_ == 0) return;
  console_.err << "\r" << std::string(bar_width_, ' ') << "\r";
  bar_width_ = 0;
}

}  // namespace ip2p
