// The small parts: UTF-8, random ids, worker threads, signals.
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <set>
#include <string>

#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "common/base/random.h"
#include "common/base/repeater.h"
#include "common/base/signals.h"
#include "common/base/trace_parent.h"
#include "common/base/utf8.h"
#include "common/base/worker_pool.h"
#include "gtest/gtest.h"

namespace ip2p {
namespace {

TEST(Utf8Test, AcceptsAllOfUnicode) {
  for (const char* text : {"", "plain", "\xC3\xA9", "\xE2\x82\xAC", "\xED\x9F\xBF", "\xEE\x80\x80",
                           "\xF0\x9F\x98\x80", "\xF4\x8F\xBF\xBF"}) {
    EXPECT_TRUE(IsValidUtf8(text)) << text;
  }
  EXPECT_TRUE(IsValidUtf8(std::string_view("a\0b", 3)));
}

TEST(Utf8Test, RefusesEverythingElse) {
  for (const char* text :
       {"\x80", "\xC0\x80", "\xC1\xBF", "\xC3", "\xE0\x9F\xBF", "\xE2\x82", "\xED\xA0\x80",
        "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF", "a\xE2\x28\xA1"}) {
    EXPECT_FALSE(IsValidUtf8(text)) << testing::PrintToString(std::string(text));
  }
}

TEST(RandomTest, IdsAreGoodAndDiffer) {
  std::set<std::string> ids;
  for (int i = 0; i < 1000; ++i) {
    const std::string id = RandomRequestId();
    EXPECT_EQ(id.size(), 32u);
    EXPECT_TRUE(IsRequestId(id));
    ids.insert(id);
  }
  EXPECT_EQ(ids.size(), 1000u);
  EXPECT_FALSE(IsRequestId(""));
  EXPECT_FALSE(IsRequestId("a b"));
  EXPECT_FALSE(IsRequestId("line\nbreak"));
  EXPECT_FALSE(IsRequestId(std::string(129, 'a')));
  EXPECT_TRUE(IsRequestId(std::string(128, 'a')));
}

TEST(TraceParentTest, NewOnesAreGoodAndDiffer) {
  std::set<std::string> made;
  for (int i = 0; i < 1000; ++i) {
    const std::string one = NewTraceParent();
    EXPECT_TRUE(IsTraceParent(one)) << one;
    made.insert(one);
  }
  EXPECT_EQ(made.size(), 1000u);
}

TEST(TraceParentTest, OnlyTheStandardsFormIsOne) {
  const std::string good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  EXPECT_TRUE(IsTraceParent(good));
  for (size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = good[i] == '-' ? '0' : 'G';
    EXPECT_FALSE(IsTraceParent(bad)) << bad;
    EXPECT_FALSE(IsTraceParent(good.substr(0, i)));
  }
  for (const std::string& bad :
       {std::string(), good + "-00", good + "\n", std::string(good).replace(0, 2, "ff"),
        std::string(good).replace(3, 32, std::string(32, '0')),
        std::string(good).replace(36, 16, std::string(16, '0')), std::string(10 << 10, 'a')}) {
    EXPECT_FALSE(IsTraceParent(bad)) << bad.substr(0, 80);
  }
}

TEST(WorkerPoolTest, RunsAllThatWasPostedBeforeItGoes) {
  std::atomic<int> sum = 0;
  {
    WorkerPool pool(3);
    for (int i = 1; i <= 1000; ++i) {
      pool.Post([&pool, &sum, i] { pool.Post([&sum, i] { sum += i; }); });
    }
  }
  EXPECT_EQ(sum, 500500);
}

TEST(WorkerPoolTest, OneThreadKeepsTheOrder) {
  std::string order;
  {
    WorkerPool pool(1);
    for (char c = 'a'; c <= 'z'; ++c) pool.Post([&order, c] { order += c; });
  }
  EXPECT_EQ(order, "abcdefghijklmnopqrstuvwxyz");
}

TEST(RepeaterTest, CallsUntilItGoes) {
  std::atomic<int> calls = 0;
  absl::BlockingCounter three(3);
  {
    const Repeater repeater(absl::Milliseconds(1), [&] {
      if (++calls <= 3) three.DecrementCount();
    });
    three.Wait();
  }
  const int then = calls;
  absl::SleepFor(absl::Milliseconds(20));
  EXPECT_EQ(calls, then);
}

TEST(RepeaterTest, GoesAtOnceAndUncalledBeforeTheFirstIsDue) {
  bool called = false;
  {
    const Repeater repeater(absl::Hours(1), [&] { called = true; });
  }
  EXPECT_FALSE(called);
}

TEST(SignalsTest, CountsWhatComesAndStopsWithoutOne) {
  sigset_t before;
  pthread_sigmask(SIG_SETMASK, nullptr, &before);
  absl::Notification first, second;
  {
    SignalWaiter waiter([&](int count) { (count == 1 ? first : second).Notify(); });
    kill(getpid(), SIGTERM);
    first.WaitForNotification();
    kill(getpid(), SIGINT);
    second.WaitForNotification();
  }
  {
    SignalWaiter idle([](int) { FAIL() << "no signal was sent"; });
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

}  // namespace
}  // namespace ip2p
