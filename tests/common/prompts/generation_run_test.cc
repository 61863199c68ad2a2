#include "common/prompts/generation_run.h"

#include <algorithm>
#include <limits>
#include <set>

#include "common/prompts/generation_job.h"
#include "common/prompts/prompt_stats.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/file_size_limit.h"
#include "tests/fakes/scripted_model.h"
#include "tests/fakes/temp_folder.h"

namespace ip2p {
namespace {

using ::testing::HasSubstr;

Task<void> Store(GenerationRun* run, absl::Status* status) { *status = co_await run->Run(); }

class Listener final : public RunListener {
 public:
  void OnOutcome(const Outcome& outcome) override {
    indices.insert(outcome.index);
    ++outcomes;
    if (then) then();
  }
  void OnUsage(const Usage& consumed) override { usage += consumed; }
  void OnProgress(const RunCounts& counts, std::optional<absl::Duration> remaining) override {
    progress.push_back(counts);
    if (remaining) last_remaining = *remaining;
  }

  std::set<int64_t> indices;
  int outcomes = 0;
  Usage usage;
  std::vector<RunCounts> progress;
  absl::Duration last_remaining = absl::InfiniteDuration();
  std::function<void()> then;
};

class GenerationRunTest : public testing::Test {
 protected:
  void MakeCaptions(int count) {
    std::string text;
    for (int i = 0; i < count; ++i) text += "caption " + std::to_string(i) + "\n";
    MakeCaptions(text);
  }
  void MakeCaptions(const std::string& text) {
    captions_ = *CaptionFile::Open(folder_.Write("c.txt", text), {.temp_folder = folder_.path()});
  }
  // One process's run on the output "out.jsonl".
  absl::Status Run(ScriptedModel& model, std::optional<int64_t> limit = std::nullopt) {
    auto journal = Journal::Open(folder_.In("out.jsonl"), {captions_->size(), captions_->fingerprint(), 0,
                                                           options_.n_partitions, options_.partition});
    if (!journal.ok()) return journal.status();
    Journal* const kept = journal->get();
    Budget budget(limit, kept->past().spent_micro_usd,
                  [kept](int64_t spent, int64_t reserved) { return kept->RecordMoney(spent, reserved); });
    GenerationRun run({.loop = &loop_,
                       .captions = captions_.get(),
                       .model = &model,
                       .moderator = moderator_,
                       .budget = &budget,
                       .journal = kept,
                       .listener = &listener_,
                       .cancel = cancel_.get()},
                      options_);
    absl::Status status;
    loop_.Run(Store(&run, &status));
    counts_ = run.counts();
    spent_ = budget.spent_micro_usd();
    return status;
  }
  int OutputLines() const {
    const std::string text = folder_.Read("out.jsonl");
    return static_cast<int>(std::count(text.begin(), text.end(), '\n'));
  }

  const TempFolder folder_;
  FakeClock clock_;
  EventLoop loop_{
      {.clock = &clock_, .on_idle = [this](absl::Time next) { clock_.Advance(next - clock_.Now()); }}};
  std::unique_ptr<CaptionFile> captions_;
  RunOptions options_;
  Moderator* moderator_ = nullptr;
  Listener listener_;
  std::unique_ptr<CancelToken> cancel_ = std::make_unique<CancelToken>();
  RunCounts counts_;
  int64_t spent_ = 0;
};

Attempt Good(const Caption& caption, int) { return ScriptedModel::Good(caption); }

TEST_F(GenerationRunTest, KeepsSoManyInFlightAndLosesNoTime) {
  MakeCaptions(640);
  options_.concurrency = 64;
  ScriptedModel model(&loop_, Good);
  EXPECT_TRUE(Run(model).ok());
  EXPECT_EQ(counts_.accepted, 640);
  EXPECT_EQ(model.most_in_flight, 64);
  EXPECT_EQ(clock_.Now() - absl::UnixEpoch(), absl::Seconds(2));  // 10 rounds of 200 ms, exactly
  EXPECT_EQ(listener_.outcomes, 640);
  EXPECT_EQ(OutputLines(), 640);
  // Every try has a seed of its own.
  EXPECT_EQ(std::set<uint64_t>(model.seeds.begin(), model.seeds.end()).size(), 640u);
}

TEST_F(GenerationRunTest, TellsProgressFirstEverySecondAndLast) {
  MakeCaptions(160);
  options_.concurrency = 8;  // 20 rounds: 4 s
  ScriptedModel model(&loop_, Good);
  EXPECT_TRUE(Run(model).ok());
  ASSERT_GE(listener_.progress.size(), 4u);
  ASSERT_LE(listener_.progress.size(), 6u);
  EXPECT_EQ(listener_.progress.front().accepted, 0);
  EXPECT_EQ(listener_.progress.front().total, 160);
  EXPECT_EQ(listener_.progress.back().accepted, 160);
  EXPECT_EQ(listener_.last_remaining, absl::ZeroDuration());
}

TEST_F(GenerationRunTest, EveryRecordHasItsOutcomeBadOnesAndDuplicatesToo) {
  MakeCaptions("one\n \nOne.\ntwo\n");
  ScriptedModel model(&loop_, Good);
  EXPECT_TRUE(Run(model).ok());
  EXPECT_EQ(counts_.total, 4);
  EXPECT_EQ(counts_.accepted, 2);
  EXPECT_EQ(counts_.rejected, 2);
  EXPECT_EQ(listener_.indices, (std::set<int64_t>{0, 1, 2, 3}));
  EXPECT_THAT(folder_.Read("out.jsonl.journal"),
              HasSubstr("\"line\":2,\"outcome\":\"bad_caption\",\"detail\":\"caption"));
  EXPECT_THAT(folder_.Read("out.jsonl.journal"), HasSubstr("\"line\":3,\"outcome\":\"duplicate\""));
  EXPECT_EQ(model.tries.size(), 2u);
}

TEST_F(GenerationRunTest, GoesOnAfterCancellationWithoutAskingTwice) {
  MakeCaptions(100);
  options_.concurrency = 10;
  ScriptedModel model(&loop_, Good);
  listener_.then = [this] {
    if (listener_.outcomes == 35) cancel_->Cancel();
  };
  EXPECT_TRUE(absl::IsCancelled(Run(model)));
  EXPECT_GE(counts_.accepted, 35);
  EXPECT_LE(counts_.accepted, 45);  // what was in flight was waited for
  const int64_t before = counts_.accepted;
  ASSERT_LT(before, 100);
  listener_ = {};
  cancel_ = std::make_unique<CancelToken>();  // as in a new process
  EXPECT_TRUE(Run(model).ok());
  EXPECT_EQ(counts_.accepted, 100);
  EXPECT_EQ(counts_.resumed, before);
  EXPECT_EQ(listener_.outcomes, 100 - before);
  for (const auto& [caption, tries] : model.tries) EXPECT_EQ(tries, 1) << caption;
  EXPECT_EQ(OutputLines(), 100);
}

TEST_F(GenerationRunTest, AnAnswerThatWaitedForItsJudgeIsNotAskedForAgain) {
  MakeCaptions(40);
  options_.concurrency = 8;
  ScriptedModerator judge("FLAG");
  moderator_ = &judge;
  ScriptedModel model(&loop_, [&judge](const Caption& caption, int) {
    if (caption.text == "caption 20") judge.result = AttemptResult::kFatal;  // the judge's key is refused
    return ScriptedModel::Good(caption);
  });
  model.cost_micro_usd = 5;
  EXPECT_FALSE(Run(model).ok());
  const int64_t spent = spent_;
  EXPECT_EQ(listener_.usage.cost_micro_usd, spent);  // at once, not when there are outcomes
  EXPECT_LT(OutputLines(), 40);
  judge.result = AttemptResult::kAnswered;
  ASSERT_TRUE(Run(model).ok());
  EXPECT_EQ(OutputLines(), 40);
  for (const auto& [caption, tries] : model.tries) EXPECT_EQ(tries, 1) << caption;
  EXPECT_EQ(counts_.usage.cost_micro_usd, 40 * 5);
  EXPECT_GT(spent, 0);
  EXPECT_EQ(spent_, 40 * 5);
  EXPECT_EQ(listener_.usage.cost_micro_usd, 40 * 5);  // and not a second time with them
}

TEST_F(GenerationRunTest, GraceEndsWhatTakesTooLong) {
  MakeCaptions(8);
  options_.concurrency = 4;
  options_.grace = absl::Seconds(10);
  ScriptedModel model(&loop_, Good);
  model.latency = absl::Hours(1);
  loop_.Post([this] { cancel_->Cancel(); });
  EXPECT_TRUE(absl::IsCancelled(Run(model)));
  EXPECT_EQ(clock_.Now() - absl::UnixEpoch(), absl::Seconds(10));
  EXPECT_EQ(counts_.accepted, 0);
  EXPECT_EQ(model.tries.size(), 4u);
  EXPECT_EQ(counts_.usage.requests, 4);  // consumed, though there is nothing to show for it
  cancel_ = std::make_unique<CancelToken>();
  model.latency = absl::Milliseconds(200);
  EXPECT_TRUE(Run(model).ok());
  EXPECT_EQ(counts_.usage.requests, 12);
  EXPECT_EQ(ReadPromptStats(folder_.In("out.jsonl"))->usage.requests, 12);
}

TEST_F(GenerationRunTest, StopsHardAtTheBudgetAndNeverSpendsMore) {
  MakeCaptions(100);
  options_.concurrency = 7;
  ScriptedModel model(&loop_, Good);
  model.worst_micro_usd = 50;
  model.cost_micro_usd = 20;
  const absl::Status status = Run(model, 1000);
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_LE(spent_, 1000);
  EXPECT_GT(spent_, 950);  // to the last request that fits, though seven reserve at once
  EXPECT_EQ(spent_, counts_.accepted * 20);
  const int64_t before = spent_;
  EXPECT_TRUE(absl::IsResourceExhausted(Run(model, 1000)));
  EXPECT_LE(spent_, 1000);
  EXPECT_GE(spent_, before);
  EXPECT_TRUE(Run(model, 1'000'000).ok());  // a higher limit goes on
  EXPECT_EQ(counts_.accepted, 100);
  EXPECT_EQ(spent_, 2000);
}

TEST_F(GenerationRunTest, ASmallBudgetIsSpentOneByOne) {
  MakeCaptions(100);
  options_.concurrency = 16;
  ScriptedModel model(&loop_, Good);
  model.worst_micro_usd = 50;
  model.cost_micro_usd = 20;
  EXPECT_TRUE(absl::IsResourceExhausted(Run(model, 90)));
  EXPECT_EQ(model.most_in_flight, 1);
  EXPECT_EQ(spent_, 60);  // 30 are left, less than the worst case of another
  EXPECT_EQ(counts_.accepted, 3);
}

TEST_F(GenerationRunTest, CancellingEndsTheWaitForMoney) {
  MakeCaptions(20);
  ScriptedModel model(&loop_, Good);
  model.worst_micro_usd = 50;
  model.cost_micro_usd = 20;
  cancel_ = std::make_unique<CancelToken>();
  listener_.then = [this] { cancel_->Cancel(); };
  EXPECT_TRUE(absl::IsCancelled(Run(model, 90)));
  EXPECT_LE(spent_, 90);
  EXPECT_GE(counts_.accepted, 1);
}

TEST_F(GenerationRunTest, ARefusedKeyEndsTheRunWithWhatIsDoneKept) {
  MakeCaptions(100);
  options_.concurrency = 5;
  ScriptedModel model(&loop_, [](const Caption& caption, int) {
    return caption.index < 50
               ? ScriptedModel::Good(caption)
               : ScriptedModel::Bad(AttemptResult::kFatal, absl::UnauthenticatedError("the key is refused"));
  });
  EXPECT_EQ(Run(model), absl::FailedPreconditionError("the key is refused"));
  EXPECT_EQ(OutputLines(), counts_.accepted);
  EXPECT_LT(model.tries.size(), 100u);
}

TEST_F(GenerationRunTest, AnOutageCostsNoCaption) {
  MakeCaptions(100);
  options_.concurrency = 5;
  bool down = true;
  ScriptedModel model(&loop_, [&down](const Caption& caption, int) {
    return down ? ScriptedModel::Bad(AttemptResult::kProviderError, absl::UnavailableError("no route"))
                : ScriptedModel::Good(caption);
  });
  EXPECT_EQ(Run(model), absl::UnavailableError("the provider failed for 20 captions in a row: no route"));
  EXPECT_EQ(counts_.rejected, 0);
  const int64_t in_vain = counts_.usage.requests;
  EXPECT_GE(in_vain, 20);
  down = false;
  EXPECT_TRUE(Run(model).ok());
  EXPECT_EQ(counts_.accepted, 100);
  EXPECT_EQ(counts_.usage.requests, in_vain + 100);
}

TEST_F(GenerationRunTest, SingleFailuresAreOutcomes) {
  MakeCaptions(100);
  options_.concurrency = 5;
  ScriptedModel model(&loop_, [](const Caption& caption, int) {
    return caption.index % 3 == 0
               ? ScriptedModel::Bad(AttemptResult::kProviderError, absl::UnavailableError("x"))
               : ScriptedModel::Good(caption);
  });
  EXPECT_TRUE(Run(model).ok());
  EXPECT_EQ(counts_.accepted, 66);
  EXPECT_EQ(counts_.rejected, 34);
  EXPECT_THAT(folder_.Read("out.jsonl.journal"),
              HasSubstr("\"outcome\":\"provider_error\",\"detail\":\"x\""));
}

TEST_F(GenerationRunTest, PartitionsTogetherAreTheWhole) {
  MakeCaptions(103);
  std::set<std::string> all;
  for (options_.partition = 0, options_.n_partitions = 10; options_.partition < 10; ++options_.partition) {
    std::filesystem::remove(folder_.In("out.jsonl"));
    std::filesystem::remove(folder_.In("out.jsonl.journal"));
    ScriptedModel model(&loop_, Good);
    EXPECT_TRUE(Run(model).ok());
    EXPECT_EQ(counts_.total, options_.partition < 3 ? 11 : 10);
    for (const auto& [caption, tries] : model.tries) EXPECT_TRUE(all.insert(caption).second) << caption;
  }
  EXPECT_EQ(all.size(), 103u);
}

// Wherever the disk becomes full, in the journal or in the output: nothing torn, nothing twice, nothing lost.
TEST_F(GenerationRunTest, AFullDiskEndsTheRunAndTheNextGoesOn) {
  MakeCaptions(60);
  options_.concurrency = 3;
  int ended_early = 0;
  for (rlim_t bytes = 400; bytes < 30'000; bytes += 1733) {
    std::filesystem::remove(folder_.In("out.jsonl"));
    std::filesystem::remove(folder_.In("out.jsonl.journal"));
    ScriptedModel first(&loop_, Good), second(&loop_, Good);
    first.worst_micro_usd = second.worst_micro_usd = 5;
    {
      const FileSizeLimit full(bytes);
      const absl::Status status = Run(first);
      EXPECT_TRUE(status.ok() || absl::IsResourceExhausted(status)) << status;
      ended_early += status.ok() ? 0 : 1;
    }
    EXPECT_EQ(OutputLines(), counts_.accepted);
    ASSERT_TRUE(Run(second).ok()) << bytes;
    EXPECT_EQ(counts_.accepted, 60);
    EXPECT_EQ(OutputLines(), 60);
    EXPECT_LE(first.tries.size() + second.tries.size(), 63u);  // what was in flight was asked again
  }
  EXPECT_GT(ended_early, 5);
}

// A reader that takes nothing: no caption is begun for it.
class SlowListener final : public RunListener {
 public:
  Task<void> Room() override {
    if (!open) co_await event;
  }
  void OnOutcome(const Outcome&) override { ++waiting; }

  Event event;
  bool open = true;
  int waiting = 0;
};

TEST_F(GenerationRunTest, WaitsForItsReader) {
  MakeCaptions(50);
  SlowListener listener;
  listener.open = false;
  ScriptedModel model(&loop_, Good);
  Budget budget(std::nullopt, 0, nullptr);
  options_.concurrency = 4;
  GenerationRun run({.loop = &loop_,
                     .captions = captions_.get(),
                     .model = &model,
                     .budget = &budget,
                     .listener = &listener},
                    options_);
  absl::Status status;
  loop_.Post([&] {
    EXPECT_EQ(model.tries.size(), 0u);
    listener.open = true;
    listener.event.Set();
  });
  loop_.Run(Store(&run, &status));
  EXPECT_TRUE(status.ok());
  EXPECT_EQ(listener.waiting, 50);
}

TEST(GenerationJobTest, ListsEveryFaultOfAnOrder) {
  GenerationOrder order;
  order.run.n_partitions = 0;
  order.run.concurrency = 2000;
  order.run.params.temperature = std::numeric_limits<double>::quiet_NaN();
  order.run.params.max_tries = 0;
  order.max_micro_usd = -1;
  const std::string message(CheckOrder(order).message());
  EXPECT_THAT(message, HasSubstr("n_partitions is 0; wants 1..1000000\n"));
  EXPECT_THAT(message, HasSubstr("concurrency is 2000; wants 1..1024\n"));
  EXPECT_THAT(message, HasSubstr("temperature is nan; wants 0..2\n"));
  EXPECT_THAT(message, HasSubstr("max_tries is 0; wants 1..10\n"));
  EXPECT_THAT(message, HasSubstr("the budget is -1 millionths"));
}

TEST(GenerationJobTest, WantsTheOutputsFolder) {
  const TempFolder folder;
  GenerationOrder order;
  order.captions = {{.text = "a"}};
  order.output_path = folder.In("none/out.jsonl");
  EXPECT_EQ(GenerationJob::Open(order).status(),
            absl::NotFoundError("the output's folder does not exist; wants one"));
}

TEST(GenerationJobTest, PartitionsHaveTheirOwnFiles) {
  EXPECT_EQ(PartitionPath("a.b/prompts.jsonl", 1, 0), "a.b/prompts.jsonl");
  EXPECT_EQ(PartitionPath("a.b/prompts.jsonl", 10, 3), "a.b/prompts-00003-of-00010.jsonl");
  EXPECT_EQ(PartitionPath("prompts", 2, 1), "prompts-00001-of-00002");
}

}  // namespace
}  // namespace ip2p
