// Tells the user on stderr how an edit goes: a bar on a terminal, a line every tenth otherwise. Not
// thread-safe.
#pragma once

#include <string>

#include "services/cli/console.h"
#include "services/cli/progress.h"

namespace ip2p {

class Reporter {
 public:
  Reporter(Console& console, int count, int steps);
  ~Reporter();  // leaves the terminal at the start of a line
  Reporter(const Reporter&) = delete;
  Reporter& operator=(const Reporter&) = delete;

  void Say(const std::string& text);  // a line of its own
  void Step(int output, int step);

 private:
  void ClearBar();

  Console& console_;
  Progress progress_;
  size_t bar_width_ = 0;  // what stands on the line now
  int tenths_told_ = 0;
};

}  // namespace ip2p
