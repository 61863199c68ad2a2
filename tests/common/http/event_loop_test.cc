#include "common/http/event_loop.h"

#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "tests/fakes/fake_http_client.h"

namespace ip2p {
namespace {

Task<void> SleepAndTell(EventLoop* loop, absl::Duration time, std::vector<std::string>* log, std::string name,
                        WaitGroup* group) {
  EXPECT_TRUE((co_await loop->Sleep(time)).ok());
  log->push_back(name);
  group->Done();
}

Task<void> ThreeSleepers(EventLoop* loop, std::vector<std::string>* log) {
  WaitGroup group;
  for (int i = 0; i < 3; ++i) group.Add();
  Spawn(SleepAndTell(loop, absl::Hours(3), log, "long", &group));
  Spawn(SleepAndTell(loop, absl::Seconds(1), log, "short", &group));
  Spawn(SleepAndTell(loop, absl::ZeroDuration(), log, "none", &group));
  co_await group.Wait();
}

TEST(EventLoopTest, TimersFireInTimeOrder) {
  SimulatedLoop world;
  std::vector<std::string> log;
  const absl::Time start = world.clock.Now();
  world.loop.Run(ThreeSleepers(&world.loop, &log));
  EXPECT_EQ(log, (std::vector<std::string>{"none", "short", "long"}));
  EXPECT_EQ(world.clock.Now() - start, absl::Hours(3));
}

Task<void> CancelledSleep(EventLoop* loop, CancelToken* cancel, absl::Status* status) {
  *status = co_await loop->Sleep(absl::Hours(1), cancel);
}

Task<void> CancelAfter(EventLoop* loop, CancelToken* cancel, WaitGroup* group) {
  EXPECT_TRUE((co_await loop->Sleep(absl::Seconds(5))).ok());
  cancel->Cancel();
  group->Done();
}

Task<void> SleepUntilCancelled(EventLoop* loop, CancelToken* cancel, absl::Status* status) {
  WaitGroup group;
  group.Add();
  Spawn(CancelAfter(loop, cancel, &group));
  co_await CancelledSleep(loop, cancel, status);
  co_await group.Wait();
}

TEST(EventLoopTest, ASleepEndsWhenItIsCancelled) {
  SimulatedLoop world;
  CancelToken cancel;
  absl::Status status;
  const absl::Time start = world.clock.Now();
  world.loop.Run(SleepUntilCancelled(&world.loop, &cancel, &status));
  EXPECT_TRUE(absl::IsCancelled(status)) << status;
  EXPECT_EQ(world.clock.Now() - start, absl::Seconds(5));

  absl::Status again;  // a token that was cancelled before
  world.loop.Run(CancelledSleep(&world.loop, &cancel, &again));
  EXPECT_TRUE(absl::IsCancelled(again)) << again;
}

Task<void> Await(Event* event) { co_await *event; }

TEST(EventLoopTest, PostWakesTheLoopFromAnotherThread) {
  EventLoop loop;
  Event event;
  std::vector<int> order;
  std::thread poster([&] {
    for (int i = 0; i < 3; ++i) loop.Post([&order, i] { order.push_back(i); });
    loop.Post([&event] { event.Set(); });
  });
  loop.Run(Await(&event));
  poster.join();
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2}));
}

}  // namespace
}  // namespace ip2p
