// How many of something are done: drawn over on a terminal, a line every ten seconds otherwise. Not
// thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "absl/time/time.h"
#include "services/cli/console.h"

namespace ip2p {

class CountProgress {
 public:
  // `what`: "folders".
  CountProgress(Console& console, std::string what);
  ~CountProgress();  // ends the terminal's line
  CountProgress(const CountProgress&) = delete;
  CountProgress& operator=(const CountProgress&) = delete;

  void Tell(int64_t done, int64_t all);  // all 0: unknown
  std::function<void(int64_t, int64_t)> callback() {
    return [this](int64_t done, int64_t all) { Tell(done, all); };
  }

 private:
  Console& console_;
  const std::string what_;
  absl::Time told_;
  size_t width_ = 0;  // of what stands on the line
};

}  // namespace ip2p
