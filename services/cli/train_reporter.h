// Tells how a training job goes: one line over itself with the loss as a curve on a terminal, else a line
// when its state changes and every ten seconds; with `json`, an object a message on standard output. Not
// thread-safe.
#pragma once

#include <optional>
#include <string>

#include "absl/time/time.h"
#include "common/plot/curve_trail.h"
#include "ip2p/training/v1/job.pb.h"
#include "services/cli/console.h"

namespace ip2p {

class TrainReporter {
 public:
  TrainReporter(Console& console, bool json);
  ~TrainReporter();  // leaves the terminal at the start of a line
  TrainReporter(const TrainReporter&) = delete;
  TrainReporter& operator=(const TrainReporter&) = delete;

  absl::Status Show(const training::v1::Job& job);
  void Say(const std::string& text);  // a line of its own

 private:
  void Draw(const training::v1::Job& job);
  void TellLine(const training::v1::Job& job);
  void Clear();

  Console& console_;
  const bool json_;
  CurveTrail losses_;
  int64_t last_step_ = 0;  // of losses_
  size_t width_ = 0;       // of what stands on the line
  std::string told_stand_;
  absl::Time told_ = absl::InfinitePast();
};

}  // namespace ip2p
