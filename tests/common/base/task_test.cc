#include "common/base/task.h"

#include <memory>
#include <string>
#include <vector>

#include "common/base/cancel_token.h"
#include "common/base/semaphore.h"
#include "gtest/gtest.h"

namespace ip2p {
namespace {

Task<int> Number(int value) { co_return value; }

Task<void> SumMany(int count, int64_t* sum) {
  for (int i = 0; i < count; ++i) *sum += co_await Number(i);
}

TEST(TaskTest, DoesNothingUntilItIsStarted) {
  int64_t sum = 0;
  { const Task<void> task = SumMany(3, &sum); }
  EXPECT_EQ(sum, 0);
  Spawn(SumMany(3, &sum));
  EXPECT_EQ(sum, 3);
}

TEST(TaskTest, AMillionTasksThatNeverWaitNeedNoStack) {
  int64_t sum = 0;
  Spawn(SumMany(1'000'000, &sum));
  EXPECT_EQ(sum, int64_t{999'999} * 1'000'000 / 2);
}

Task<std::unique_ptr<std::string>> AfterEvent(Event& event, std::string text) {
  co_await event;
  co_return std::make_unique<std::string>(text);
}

Task<void> Collect(Event& event, std::string text, std::vector<std::string>* heard) {
  const std::unique_ptr<std::string> answer = co_await AfterEvent(event, std::move(text));
  heard->push_back(*answer);
}

TEST(TaskTest, WaitersGoOnInTheOrderTheyCame) {
  Event event;
  std::vector<std::string> heard;
  Spawn(Collect(event, "a", &heard));
  Spawn(Collect(event, "b", &heard));
  EXPECT_TRUE(heard.empty());
  event.Set();
  Spawn(Collect(event, "c", &heard));  // after the event: at once
  EXPECT_EQ(heard, (std::vector<std::string>{"a", "b", "c"}));
}

TEST(TaskTest, ASuspendedTaskThatIsDestroyedDestroysItsLocals) {
  Event event;
  const auto alive = std::make_shared<int>(1);
  struct Holder {
    static Task<void> Hold(Event& e, std::shared_ptr<int> kept) {
      co_await e;
      EXPECT_NE(kept, nullptr);
    }
  };
  {
    const Task<void> task = Holder::Hold(event, alive);
    EXPECT_EQ(alive.use_count(), 2);
  }
  EXPECT_EQ(alive.use_count(), 1);
}

Task<void> Worker(Event& event, WaitGroup* group) {
  co_await event;
  group->Done();
}

Task<void> WaitFor(WaitGroup* group, int open, bool* over) {
  co_await group->WaitUntil(open);
  *over = true;
}

TEST(WaitGroupTest, WakesWhenFewEnoughAreLeft) {
  Event first;
  Event second;
  WaitGroup group;
  for (Event* event : {&first, &second}) {
    group.Add();
    Spawn(Worker(*event, &group));
  }
  bool one_left = false;
  Spawn(WaitFor(&group, 1, &one_left));
  EXPECT_FALSE(one_left);
  first.Set();
  EXPECT_TRUE(one_left);
  bool none_left = false;
  Spawn(WaitFor(&group, 0, &none_left));
  EXPECT_FALSE(none_left);
  second.Set();
  EXPECT_TRUE(none_left);
}

TEST(CancelTokenTest, CallsBackOnceAndOnlyThoseThatStillListen) {
  CancelToken token;
  int first = 0;
  int gone = 0;
  const CancelToken::Callback listening(&token, [&first] { ++first; });
  {
    const CancelToken::Callback left(&token, [&gone] { ++gone; });
  }
  token.Cancel();
  token.Cancel();
  int late = 0;
  const CancelToken::Callback after(&token, [&late] { ++late; });
  EXPECT_EQ(first, 1);
  EXPECT_EQ(gone, 0);
  EXPECT_EQ(late, 1);
}

Task<void> Take(Semaphore* semaphore, CancelToken* cancel, std::vector<std::string>* log, std::string name) {
  const absl::Status status = co_await semaphore->Acquire(cancel);
  log->push_back(name + (status.ok() ? " in" : " cancelled"));
}

TEST(SemaphoreTest, GivesPlacesInOrderAndForgetsTheCancelled) {
  Semaphore semaphore(1);
  CancelToken cancel;
  std::vector<std::string> log;
  Spawn(Take(&semaphore, nullptr, &log, "a"));
  Spawn(Take(&semaphore, &cancel, &log, "b"));
  Spawn(Take(&semaphore, nullptr, &log, "c"));
  cancel.Cancel();
  semaphore.Release();
  EXPECT_EQ(log, (std::vector<std::string>{"a in", "b cancelled", "c in"}));
}

}  // namespace
}  // namespace ip2p
