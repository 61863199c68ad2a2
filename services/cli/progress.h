// How far an edit is, how fast it goes and when it ends. Pure: the time is an argument.
#pragma once

#include <string>
#include <vector>

#include "absl/time/time.h"

namespace ip2p {

class Progress {
 public:
  Progress(int count, int steps);

  // `step` finished steps of picture `output`. Out of range is ignored, going back too.
  void Update(int output, int step, absl::Time now);

  int done() const { return done_; }  // steps of all pictures
  int total() const { return total_; }
  // Steps a second since the first update; 0 until a tenth of a second has passed.
  double rate() const;
  // Zero while the rate is unknown.
  absl::Duration eta() const;

 private:
  const int steps_;
  const int total_;
  std::vector<int> finished_;
  int done_ = 0;
  int first_done_ = 0;
  absl::Time first_ = absl::InfinitePast();
  absl::Time last_ = absl::InfinitePast();
};

// "0:07", "12:30", "1:02:03".
std::string FormatClock(absl::Duration duration);

// "[#####.....]  50/100  1.9 steps/s  0:26 left", at most `columns` wide (the bar gives way first).
std::string FormatBar(const Progress& progress, int columns);

// "step 50 of 100, 1.9 steps/s, 0:26 left".
std::string FormatLine(const Progress& progress);

}  // namespace ip2p
