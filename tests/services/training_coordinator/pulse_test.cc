#include "services/training_coordinator/pulse.h"

#include <atomic>
#include <memory>

#include "absl/time/clock.h"
#include "gtest/gtest.h"

namespace ip2p::training_coordinator {
namespace {

class CountedWait : public Pulsed {
 public:
  void OnPulse() override { ++pulses; }
  std::atomic<int> pulses = 0;
};

void WaitUntilAbove(const std::atomic<int>& count, int value) {
  while (count <= value) absl::SleepFor(absl::Milliseconds(1));
}

TEST(Pulse, BeatsNoMoreOnceStoppedYetStillWakesWhoWaits) {
  std::atomic<int> beats = 0;
  const auto waiting = std::make_shared<CountedWait>();
  Pulse pulse(absl::Milliseconds(1));
  pulse.Add(waiting);
  pulse.Start([&beats] { ++beats; });
  WaitUntilAbove(beats, 2);
  pulse.Stop();
  const int beats_then = beats;
  WaitUntilAbove(waiting->pulses, waiting->pulses + 5);
  EXPECT_LE(beats, beats_then + 1);  // the one that was under way
  EXPECT_TRUE(pulse.stopping());
}

}  // namespace
}  // namespace ip2p::training_coordinator
