// One owner per partition, and settings that all must share.
#include <cerrno>
#include <filesystem>
#include <set>
#include <thread>

#include "common/dataset/lease_file.h"
#include "common/dataset/partition_writer.h"
#include "common/dataset/seeds_file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/fakes/failing_disk.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/temp_folder.h"

namespace ip2p {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

class PartitionTest : public ::testing::Test {
 protected:
  LockOptions Options(const std::string& host) {
    LockOptions options{.host = host, .lease = absl::Seconds(30), .clock = &clock_, .lock_call = lock_call_};
    options.wait = [this](absl::Duration duration) {
      waited_ += duration;
      if (while_waiting_) while_waiting_();
      clock_.Advance(duration);
      return absl::OkStatus();
    };
    return options;
  }
  absl::StatusOr<std::unique_ptr<PartitionLock>> Acquire(Share share, const std::string& host = "here") {
    return PartitionLock::Acquire(folder_.path(), share, Options(host));
  }
  // As a host left it whose locks do not reach us.
  void WriteForeignLease(Share share, absl::Duration left) {
    lease_ = {.host = "elsewhere", .pid = 7, .token = "t", .expires = clock_.Now() + left};
    ASSERT_TRUE(WriteLease(folder_.path(), LeaseName(share), lease_).ok());
  }
  std::set<std::string> Names() const {
    std::set<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder_.path())) names.insert(entry.path().filename());
    return names;
  }

  TempFolder folder_;
  FakeClock clock_{absl::FromUnixSeconds(1'700'000'000)};
  absl::Duration waited_;
  std::function<void()> while_waiting_;
  LockCall lock_call_;
  Lease lease_;
};

TEST_F(PartitionTest, HasOneOwner) {
  auto first = Acquire({0, 10});
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_TRUE(absl::IsAborted(Acquire({0, 10}).status()));
  EXPECT_TRUE(Acquire({10, 20}).ok());  // a neighbour
  EXPECT_TRUE((*first)->Held().ok());
  first->reset();
  EXPECT_THAT(Names(), UnorderedElementsAre(".lock"));
  EXPECT_TRUE(Acquire({0, 10}).ok());
}

TEST_F(PartitionTest, AnOverlappingShareIsForLater) {
  const auto first = Acquire({0, 10});
  ASSERT_TRUE(first.ok());
  const absl::Status status = Acquire({5, 15}).status();
  EXPECT_TRUE(absl::IsUnavailable(status));
  EXPECT_THAT(status.message(), HasSubstr("prompts 0..9"));
  EXPECT_TRUE(absl::IsUnavailable(Acquire(kAllPrompts).status()));
}

TEST_F(PartitionTest, AnEmptyShareIsNobodysBusiness) {
  EXPECT_TRUE(Acquire({3, 3}).ok());
  EXPECT_TRUE(Acquire({3, 3}).ok());
  EXPECT_TRUE(Names().empty());
}

TEST_F(PartitionTest, ADeadOwnerOfThisHostIsNotWaitedFor) {
  ASSERT_TRUE(WriteLease(folder_.path(), LeaseName({0, 10}),
                         {.host = "here", .pid = 1, .token = "t", .expires = clock_.Now() + absl::Hours(1)})
                  .ok());
  EXPECT_TRUE(Acquire({0, 10}).ok());
  EXPECT_EQ(waited_, absl::ZeroDuration());
}

TEST_F(PartitionTest, AnotherHostsLeaseIsWaitedFor) {
  WriteForeignLease({0, 10}, absl::Seconds(20));
  const auto lock = Acquire({0, 10});
  ASSERT_TRUE(lock.ok()) << lock.status();
  EXPECT_EQ(waited_, absl::Seconds(20));
  EXPECT_TRUE((*lock)->Held().ok());
}

TEST_F(PartitionTest, ALeaseThatClaimsAnAgeIsWaitedForOnce) {
  WriteForeignLease({0, 10}, absl::Hours(1000));
  EXPECT_TRUE(Acquire({0, 10}).ok());
  EXPECT_EQ(waited_, absl::Seconds(30));
}

TEST_F(PartitionTest, ARenewedLeaseMeansThatSomebodyWorks) {
  WriteForeignLease({0, 10}, absl::Seconds(20));
  while_waiting_ = [this] {
    lease_.expires += absl::Seconds(10);
    ASSERT_TRUE(WriteLease(folder_.path(), LeaseName({0, 10}), lease_).ok());
  };
  EXPECT_TRUE(absl::IsAborted(Acquire({0, 10}).status()));
  EXPECT_THAT(Names(), UnorderedElementsAre(".lock", LeaseName({0, 10})));  // the owner's stays
}

TEST_F(PartitionTest, ALeaseGivenBackIsFree) {
  WriteForeignLease({0, 10}, absl::Seconds(20));
  while_waiting_ = [this] { fs::remove(folder_.In(LeaseName({0, 10}))); };
  EXPECT_TRUE(Acquire({0, 10}).ok());
}

TEST_F(PartitionTest, WaitingCanBeGivenUp) {
  WriteForeignLease({0, 10}, absl::Seconds(20));
  LockOptions options = Options("here");
  options.wait = [](absl::Duration) { return absl::CancelledError("enough"); };
  EXPECT_TRUE(absl::IsCancelled(PartitionLock::Acquire(folder_.path(), {0, 10}, options).status()));
}

TEST_F(PartitionTest, WhoLostTheLeaseStops) {
  const auto lock = Acquire({0, 10});
  ASSERT_TRUE(lock.ok());
  ASSERT_TRUE((*lock)->Renew().ok());
  WriteForeignLease({0, 10}, absl::Seconds(20));
  EXPECT_TRUE(absl::IsAborted((*lock)->Renew()));
  EXPECT_TRUE(absl::IsAborted((*lock)->Held()));
}

TEST_F(PartitionTest, TheNewOwnersLeaseOutlivesTheLoser) {
  auto lock = Acquire({0, 10});
  ASSERT_TRUE(lock.ok());
  WriteForeignLease({0, 10}, absl::Seconds(20));
  EXPECT_TRUE(absl::IsAborted((*lock)->Renew()));
  lock->reset();
  EXPECT_TRUE(Names().contains(LeaseName({0, 10})));
}

TEST_F(PartitionTest, RenewalMovesTheExpiry) {
  const auto lock = Acquire({0, 10});
  ASSERT_TRUE(lock.ok());
  clock_.Advance(absl::Seconds(25));
  ASSERT_TRUE((*lock)->Renew().ok());
  const std::optional<Lease> lease = ReadLease(folder_.path(), LeaseName({0, 10})).value();
  ASSERT_TRUE(lease.has_value());
  EXPECT_EQ(lease->expires, clock_.Now() + absl::Seconds(30));
}

TEST_F(PartitionTest, GarbageInALeaseIsNobodys) {
  folder_.Write(LeaseName({0, 10}), std::string(100'000, 'x'));
  EXPECT_TRUE(Acquire({0, 10}).ok());
  folder_.Write(".lease-x-y", "");
  folder_.Write(LeaseName({20, 30}), "{");
  EXPECT_TRUE(Acquire({20, 30}).ok());
}

TEST_F(PartitionTest, ALockThatIsGoneWhenLookedAtIsTriedAgain) {
  int calls = 0;
  int held = 3;  // so many tries meet somebody who is gone at once
  lock_call_ = [&](int fd, int command, struct flock* range) {
    ++calls;
    if (command == F_OFD_SETLK && --held >= 0) {
      errno = EAGAIN;
      return -1;
    }
    return ::fcntl(fd, command, range);
  };
  EXPECT_TRUE(Acquire({0, 10}).ok());
  EXPECT_EQ(calls, 7);
  held = 1000;
  const absl::Status status = Acquire({0, 10}).status();
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;  // another try, and never "somebody works"
}

class LocklessTest : public PartitionTest, public ::testing::WithParamInterface<int> {
 protected:
  LocklessTest() {
    lock_call_ = [](int, int, struct flock*) {
      errno = GetParam();
      return -1;
    };
  }
};

TEST_P(LocklessTest, TheLeaseAloneTellsTheOwner) {
  auto first = Acquire({0, 10});
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_TRUE(Acquire({10, 20}).ok());
  while_waiting_ = [&first] { EXPECT_TRUE((*first)->Renew().ok()); };
  clock_.Advance(absl::Seconds(1));
  EXPECT_TRUE(absl::IsAborted(Acquire({0, 10}).status()));  // of this host, too: no lock would show it
  EXPECT_TRUE((*first)->Renew().ok());
  clock_.Advance(absl::Seconds(1));
  EXPECT_TRUE(absl::IsUnavailable(Acquire({5, 15}).status()));
  first->reset();
  EXPECT_THAT(Names(), UnorderedElementsAre(".lock"));
  while_waiting_ = nullptr;
  EXPECT_TRUE(Acquire({0, 10}).ok());
}

TEST_P(LocklessTest, ADeadOwnersLeaseRunsOut) {
  auto first = Acquire({0, 10});
  ASSERT_TRUE(first.ok());
  auto second = Acquire({0, 10});
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(waited_, absl::Seconds(30));
  EXPECT_TRUE(absl::IsAborted((*first)->Renew()));
  first->reset();
  EXPECT_TRUE((*second)->Renew().ok());
}

TEST_P(LocklessTest, OfManyWhoStartAtOnceOneWorks) {
  for (int round = 0; round < 20; ++round) {
    WriteForeignLease({0, 10}, -absl::Seconds(1));  // all find it run out
    std::vector<absl::StatusOr<std::unique_ptr<PartitionLock>>> locks(8);
    {
      std::vector<std::thread> threads;
      for (auto& lock : locks) {
        threads.emplace_back([this, &lock] {
          LockOptions options = Options("here");
          options.wait = [](absl::Duration) { return absl::AbortedError("somebody has it"); };
          lock = PartitionLock::Acquire(folder_.path(), {0, 10}, options);
        });
      }
      for (std::thread& thread : threads) thread.join();
    }
    int held = 0;
    for (auto& lock : locks) {
      held += lock.ok() && (*lock)->Renew().ok() ? 1 : 0;
      EXPECT_TRUE(lock.ok() || absl::IsAborted(lock.status())) << lock.status();
    }
    EXPECT_EQ(held, 1);
    locks.clear();
    EXPECT_THAT(Names(), UnorderedElementsAre(".lock"));
  }
}

TEST_P(LocklessTest, WhatConcernsTheWholeGoesOn) {
  const absl::StatusOr<int> fd = LockWhole(folder_.path(), lock_call_);
  ASSERT_TRUE(fd.ok()) << fd.status();
  ::close(*fd);
}

INSTANTIATE_TEST_SUITE_P(Errors, LocklessTest, ::testing::Values(ENOLCK, EOPNOTSUPP, ENOSYS, EINVAL));

TEST_F(PartitionTest, ANewLeaseIsNotTakenForTheOldOne) {
  WriteForeignLease({0, 10}, absl::ZeroDuration());
  const FoundLease old{LeaseName({0, 10}), {0, 10}, lease_};
  lease_.token = "new";
  ASSERT_TRUE(WriteLease(folder_.path(), old.name, lease_).ok());
  EXPECT_FALSE(RemoveLease(folder_.path(), old, ".tmp-x").value());
  EXPECT_EQ(ReadLease(folder_.path(), old.name).value(), lease_);
  EXPECT_FALSE(CreateLease(folder_.path(), old.name, old.lease, ".tmp-x").value());
  EXPECT_EQ(ReadLease(folder_.path(), old.name).value(), lease_);
  EXPECT_TRUE(RemoveLease(folder_.path(), {old.name, {0, 10}, lease_}, ".tmp-x").value());
  EXPECT_TRUE(Names().empty());
  EXPECT_TRUE(CreateLease(folder_.path(), old.name, old.lease, ".tmp-x").value());
  EXPECT_THAT(Names(), UnorderedElementsAre(old.name));
}

class WriterTest : public PartitionTest {
 protected:
  absl::StatusOr<std::unique_ptr<PartitionWriter>> Open(Share share, const RunSettings& known) {
    return PartitionWriter::Open(
        {.dataset = folder_.In("out"), .share = share, .known = known, .lock = Options("here")});
  }
  const RunSettings settings_ = {{"steps", 100}, {"precision", "bf16"}, {"min_cfg", 7.5}};
};

TEST_F(WriterTest, PublishesAndRemembers) {
  const auto writer = Open({0, 5}, {{"steps", 100}});
  ASSERT_TRUE(writer.ok()) << writer.status();
  ASSERT_TRUE((*writer)->Agree(settings_).ok());
  EXPECT_FALSE((*writer)->Finished(2).value());
  const PromptContents contents{.prompt_line = "{}"};
  ASSERT_TRUE((*writer)->Publish(2, contents).ok());
  EXPECT_TRUE((*writer)->Finished(2).value());
  EXPECT_TRUE((*writer)->Publish(2, contents).ok());  // the same, from whoever was faster
}

TEST_F(WriterTest, OtherSettingsAreNamed) {
  ASSERT_TRUE((*Open({0, 5}, {}))->Agree(settings_).ok());
  RunSettings other = settings_;
  EXPECT_TRUE((*Open({0, 5}, {}))->Agree(other).ok());
  other["steps"] = 50;
  other["precision"] = "fp32";
  const absl::Status status = (*Open({5, 9}, {}))->Agree(other);
  EXPECT_TRUE(absl::IsFailedPrecondition(status));
  EXPECT_EQ(status.message(),
            "the dataset was made with steps 100, precision \"bf16\"; wants steps 50, precision \"fp32\"");
  // Known ones are compared at once; those that are not known yet are not.
  EXPECT_TRUE(absl::IsFailedPrecondition(Open({0, 5}, {{"steps", 50}}).status()));
  EXPECT_TRUE(Open({0, 5}, {{"min_cfg", 7.5}}).ok());
  // A setting that the dataset lacks, or that only it has, differs as well.
  other = settings_;
  other["seed"] = 1;
  EXPECT_THAT((*Open({0, 5}, {}))->Agree(other).message(), HasSubstr("seed absent"));
  other = settings_;
  other.erase("min_cfg");
  EXPECT_TRUE(absl::IsFailedPrecondition((*Open({0, 5}, {}))->Agree(other)));
}

TEST_F(WriterTest, ForeignDatasetsAreNotMixedWith) {
  fs::create_directories(folder_.In("out/0000000"));
  EXPECT_TRUE(absl::IsFailedPrecondition((*Open({0, 5}, {}))->Agree(settings_)));
  EXPECT_FALSE(fs::exists(folder_.In("out/run.json")));
}

TEST_F(WriterTest, ADamagedRunFileIsNotOverwritten) {
  fs::create_directories(folder_.In("out"));
  folder_.Write("out/run.json", "[1");
  EXPECT_TRUE(absl::IsDataLoss(Open({0, 5}, {{"steps", 1}}).status()));
}

TEST_F(WriterTest, StartingRemovesWhatAKilledOwnerLeft) {
  fs::create_directories(folder_.In("out/.tmp-0000003-1a2b"));
  fs::create_directories(folder_.In("out/.tmp-0000007-1a2b"));  // a neighbour's, who may be alive
  folder_.Write("out/.tmp-0000003-1a2b/prompt.json", "{");
  folder_.Write("out/.tmp-0000000-run.json", "{");
  ASSERT_TRUE(Open({0, 5}, {}).ok());
  EXPECT_FALSE(fs::exists(folder_.In("out/.tmp-0000003-1a2b")));
  EXPECT_FALSE(fs::exists(folder_.In("out/.tmp-0000000-run.json")));
  EXPECT_TRUE(fs::exists(folder_.In("out/.tmp-0000007-1a2b")));
}

TEST_F(WriterTest, WhoLostThePartitionIsToldSo) {
  const auto writer = Open({0, 5}, {});
  ASSERT_TRUE(writer.ok());
  // The new owner has removed the temporary folder in which the old one writes.
  ASSERT_TRUE(WriteLease(folder_.In("out"), LeaseName({0, 5}), {.host = "elsewhere", .token = "t"}).ok());
  const FailingDisk disk(3, ENOENT);
  EXPECT_TRUE(absl::IsAborted((*writer)->Publish(2, PromptContents{.prompt_line = "{}"})));
  EXPECT_TRUE(FailingDisk::failed());
}

TEST_F(WriterTest, StartingPutsBackWhatAKilledReplaceTookAway) {
  fs::create_directories(folder_.In("out/.tmp-0000003-old"));
  folder_.Write("out/.tmp-0000003-old/prompt.json", "{}");
  fs::create_directories(folder_.In("out/.tmp-0000004-old"));
  fs::create_directories(folder_.In("out/0000004"));
  const auto writer = Open({0, 5}, {});
  ASSERT_TRUE(writer.ok()) << writer.status();
  EXPECT_TRUE((*writer)->Finished(3).value());
  EXPECT_EQ(folder_.Read("out/0000003/prompt.json"), "{}");
  EXPECT_FALSE(fs::exists(folder_.In("out/.tmp-0000003-old")));
  EXPECT_FALSE(fs::exists(folder_.In("out/.tmp-0000004-old")));
}

// Each call fails once while a partition is opened, its run.json written and a prompt published.
TEST_F(WriterTest, AFaultOfTheDiskAtAnyPointCanBeTriedAgain) {
  const auto run = [this] {
    auto writer = Open({0, 5}, {});
    if (!writer.ok()) return writer.status();
    const absl::Status agreed = (*writer)->Agree(settings_);
    if (!agreed.ok()) return agreed;
    return (*writer)->Publish(2, PromptContents{.prompt_line = "{}"});
  };
  for (int call = 1;; ++call) {
    absl::Status status;
    bool failed = false;
    {
      const FailingDisk disk(call, ENOSPC);
      status = run();
      failed = FailingDisk::failed();
    }
    if (!failed) {
      EXPECT_GT(call, 15);
      break;
    }
    EXPECT_TRUE(absl::IsResourceExhausted(status)) << "call " << call << ": " << status;
    ASSERT_TRUE(run().ok()) << "after call " << call;
    std::set<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder_.In("out"))) names.insert(entry.path().filename());
    EXPECT_THAT(names, UnorderedElementsAre(".lock", "run.json", "0000002"));
    fs::remove_all(folder_.In("out"));
  }
}

TEST(SeedsText, IsWhatPythonWrites) {
  EXPECT_EQ(SeedsText({}), "[]");
  EXPECT_EQ(SeedsText({{"0000000", {"17", "4"}}, {"caf\xC3\xA9", {"1"}}}),
            R"([["0000000", ["17", "4"]], ["caf\u00e9", ["1"]]])");
}

TEST(ParseSeeds, TakesTextsAndNumbersAndNoPaths) {
  const ParsedSeeds seeds =
      ParseSeeds(R"([["0000000", ["17", 4]], ["../x", ["1"]], ["0000001", ["a/b", ".."]]])").value();
  EXPECT_EQ(seeds.entries, (std::vector<SeedsEntry>{{"0000000", {"17", "4"}}, {"0000001", {}}}));
  EXPECT_EQ(seeds.skipped, 3);
  for (const char* const text : {"", "{}", "[1]", "[[]]", R"([["a"]])", R"([["a", [[]]]])",
                                 R"([["a", [1.5]]])", R"([["a", [true]]])", "[[[[[[]]]]]]"}) {
    EXPECT_TRUE(absl::IsDataLoss(ParseSeeds(text).status())) << text;
  }
  EXPECT_TRUE(absl::IsDataLoss(ParseSeeds(std::string(1'000'000, '[')).status()));
}

}  // namespace
}  // namespace ip2p
