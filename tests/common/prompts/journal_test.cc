#include "common/prompts/journal.h"

#include "common/prompts/journal_record.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/fakes/temp_folder.h"

namespace ip2p {
namespace {

using ::testing::HasSubstr;

constexpr RunIdentity kRun{.captions = 5, .fingerprint = {1, 2}, .seed = 18446744073709551615u};

Outcome Accepted(int64_t index) {
  Outcome outcome{.index = index, .line = index + 1, .model = "m"};
  outcome.usage = {.requests = 2, .prompt_tokens = 10, .completion_tokens = 5, .cost_micro_usd = 7};
  // A model's name that looks like the record's own key must not mislead.
  outcome.model = ",\"prompt\":{}}";
  outcome.prompt = {.caption = "c" + std::to_string(index),
                    .edit = "e",
                    .output = "o",
                    .model = outcome.model,
                    .usage = outcome.usage};
  return outcome;
}

Outcome Rejected(int64_t index, RejectReason reason) {
  return {.index = index, .line = index + 1, .rejected = reason};
}

class JournalTest : public testing::Test {
 protected:
  std::string out() const { return folder_.In("prompts.jsonl"); }
  absl::StatusOr<std::unique_ptr<Journal>> Open(const RunIdentity& run = kRun) {
    return Journal::Open(out(), run);
  }
  // A run of two accepted and one rejected.
  void MakeRun() {
    const auto journal = Open();
    ASSERT_TRUE(journal.ok()) << journal.status();
    ASSERT_TRUE((*journal)->Append(Accepted(3), 7, 40).ok());
    ASSERT_TRUE((*journal)->Append(Rejected(0, RejectReason::kUnchanged), 7, 30).ok());
    ASSERT_TRUE((*journal)->RecordMoney(9, 20).ok());
    ASSERT_TRUE((*journal)->RecordState(R"({"batch":"b1"})").ok());
    ASSERT_TRUE((*journal)->Append(Accepted(1), 14, 20).ok());
  }

  const TempFolder folder_;
};

TEST_F(JournalTest, WhatIsHalfMadeIsKeptUntilTheOutcome) {
  const HalfMade half{.tries = 1,
                      .pending = true,
                      .edit = "e \"1\"",
                      .output = "o",
                      .model = "m",
                      .usage = {.requests = 2, .prompt_tokens = 6}};
  const HalfMade passed;
  {
    const auto journal = Open();
    ASSERT_TRUE(journal.ok()) << journal.status();
    ASSERT_TRUE((*journal)->RecordHalfMade(3, passed).ok());
    ASSERT_TRUE((*journal)->RecordHalfMade(3, half).ok());
    ASSERT_TRUE((*journal)->RecordHalfMade(4, half).ok());
    ASSERT_TRUE((*journal)->RecordHalfMade(2, passed).ok());
    ASSERT_TRUE((*journal)->Append(Accepted(3), 7, 40).ok());  // whose usage contains the half's
  }
  const auto journal = Open();
  ASSERT_TRUE(journal.ok()) << journal.status();
  EXPECT_EQ((*journal)->past().half_made, (std::map<int64_t, HalfMade>{{2, passed}, {4, half}}));
  EXPECT_EQ((*journal)->past().counts.usage.prompt_tokens, 10);
  Usage lost;
  ASSERT_TRUE(ReadJournal(
                  out() + ".journal", [](const JournalRecord&) {}, lost)
                  .ok());
  EXPECT_EQ(lost, half.usage);
}

TEST_F(JournalTest, WhatRoundsOfBatchesConsumedIsKeptUntilTheOutcome) {
  {
    const auto journal = Open();
    ASSERT_TRUE(journal.ok()) << journal.status();
    ASSERT_TRUE((*journal)->RecordTried(3, 0, {.requests = 1, .prompt_tokens = 6}).ok());
    ASSERT_TRUE((*journal)->RecordTried(4, 0, {.requests = 1, .prompt_tokens = 4}).ok());
    ASSERT_TRUE((*journal)->RecordTried(4, 1, {.requests = 1, .prompt_tokens = 5}).ok());
    ASSERT_TRUE((*journal)->Append(Accepted(3), 7, 40).ok());  // whose usage contains the try's
  }
  const auto journal = Open();
  ASSERT_TRUE(journal.ok()) << journal.status();
  const RunPast& past = (*journal)->past();
  ASSERT_EQ(past.tried.size(), 1);
  EXPECT_EQ(past.tried.at(4).round, 1);
  EXPECT_EQ(past.tried.at(4).usage.requests, 2);
  EXPECT_EQ(past.tried.at(4).usage.prompt_tokens, 9);
  EXPECT_FALSE(past.done[4]);
  EXPECT_EQ(past.counts.usage.prompt_tokens, 10);
  Usage lost;
  ASSERT_TRUE(ReadJournal(
                  out() + ".journal", [](const JournalRecord&) {}, lost)
                  .ok());
  EXPECT_EQ(lost.prompt_tokens, 9);
}

TEST_F(JournalTest, TheLastPauseHolds) {
  const absl::Time until = absl::FromUnixMicros(1'700'000'000'000'001);
  {
    const auto journal = Open();
    ASSERT_TRUE(journal.ok()) << journal.status();
    EXPECT_EQ((*journal)->past().closed_until, absl::InfinitePast());
    ASSERT_TRUE((*journal)->RecordClosed(until + absl::Hours(1)).ok());
    ASSERT_TRUE((*journal)->RecordMoney(9, 20).ok());
    ASSERT_TRUE((*journal)->RecordClosed(until).ok());
  }
  const auto journal = Open();
  ASSERT_TRUE(journal.ok()) << journal.status();
  EXPECT_GE((*journal)->past().closed_until, until);  // never earlier
  EXPECT_LE((*journal)->past().closed_until, until + absl::Milliseconds(1));
  EXPECT_EQ((*journal)->past().spent_micro_usd, 29);
}

TEST_F(JournalTest, TellsWhatWasDone) {
  MakeRun();
  const auto journal = Open();
  ASSERT_TRUE(journal.ok()) << journal.status();
  const RunPast& past = (*journal)->past();
  EXPECT_EQ(past.done, (std::vector<bool>{true, true, false, true, false}));
  EXPECT_EQ(past.counts.accepted, 2);
  EXPECT_EQ(past.counts.rejected, 1);
  EXPECT_EQ(past.counts.resumed, 3);
  EXPECT_EQ(past.counts.usage.cost_micro_usd, 14);
  EXPECT_EQ(past.spent_micro_usd, 34);  // what was reserved may have been spent
  EXPECT_EQ(past.state, R"({"batch":"b1"})");
  EXPECT_EQ(folder_.Read("prompts.jsonl"),
            PromptLine(Accepted(3).prompt) + "\n" + PromptLine(Accepted(1).prompt) + "\n");
}

// A kill between any two bytes: the run goes on with each outcome once, and the output is the journal's.
TEST_F(JournalTest, ComesBackFromEveryTornState) {
  MakeRun();
  const std::string journal_text = folder_.Read("prompts.jsonl.journal");
  const std::string output_text = folder_.Read("prompts.jsonl");
  int resumed = 0;
  const size_t header = journal_text.find('\n');
  for (size_t cut = 0; cut <= journal_text.size(); cut += cut + 50 < header ? 50 : 1) {
    folder_.Write("prompts.jsonl.journal", journal_text.substr(0, cut));
    // The output never has more than the journal: at most all whole outcomes of it.
    std::string expected;
    for (size_t at = 0, end; (end = journal_text.find('\n', at)) < cut; at = end + 1) {
      const auto record = ParseRecord(journal_text.substr(at, end - at));
      if (record->record.prompt_line.empty()) continue;
      expected += PromptLine(Accepted(record->record.outcome.index).prompt) + "\n";
    }
    for (const size_t output_cut : {expected.size(), expected.size() / 2, size_t{0}}) {
      folder_.Write("prompts.jsonl", output_text.substr(0, output_cut));
      const auto journal = Open();
      ASSERT_TRUE(journal.ok()) << journal.status() << " cut at " << cut;
      EXPECT_EQ(folder_.Read("prompts.jsonl"), expected);
      resumed += static_cast<int>((*journal)->past().counts.resumed);
    }
  }
  EXPECT_GT(resumed, 0);
}

TEST_F(JournalTest, ATornTailIsCutForGood) {
  MakeRun();
  folder_.Write("prompts.jsonl.journal", folder_.Read("prompts.jsonl.journal") + "{\"index\":4,\"li");
  {
    const auto journal = Open();
    ASSERT_TRUE(journal.ok());
    ASSERT_TRUE((*journal)->Append(Accepted(4), 21, 0).ok());
  }
  const auto journal = Open();
  ASSERT_TRUE(journal.ok()) << journal.status();
  EXPECT_EQ((*journal)->past().counts.accepted, 3);
}

TEST_F(JournalTest, BelongsToOneRun) {
  MakeRun();
  const auto fault = [this](const RunIdentity& run) {
    const absl::Status status = Open(run).status();
    EXPECT_TRUE(absl::IsFailedPrecondition(status));
    return std::string(status.message());
  };
  RunIdentity other = kRun;
  other.seed = 3;
  EXPECT_EQ(fault(other), "the output belongs to a run with seed 18446744073709551615; wants 3");
  other = kRun;
  other.fingerprint.low = 9;
  EXPECT_THAT(fault(other), HasSubstr("over other captions"));
  other = kRun;
  other.n_partitions = 2;
  other.partition = 1;
  EXPECT_EQ(fault(other), "the output belongs to a run of partition 0 of 1; wants 1 of 2");
}

TEST_F(JournalTest, OneProcessAtATime) {
  const auto first = Open();
  ASSERT_TRUE(first.ok());
  EXPECT_TRUE(absl::IsAborted(Open().status()));
}

TEST_F(JournalTest, NothingOfSomebodyElseIsOverwritten) {
  folder_.Write("prompts.jsonl", "something dear\n");
  EXPECT_EQ(Open().status(),
            absl::FailedPreconditionError("the output exists and has no journal; wants another name"));
  EXPECT_EQ(folder_.Read("prompts.jsonl"), "something dear\n");
  EXPECT_FALSE(std::filesystem::exists(out() + ".journal"));
  folder_.Write("prompts.jsonl.journal", "");  // as one who was killed at once leaves it
  EXPECT_TRUE(absl::IsFailedPrecondition(Open().status()));
  EXPECT_EQ(folder_.Read("prompts.jsonl"), "something dear\n");
}

TEST_F(JournalTest, RefusesWhatWasChanged) {
  MakeRun();
  const std::string journal = folder_.Read("prompts.jsonl.journal");
  const std::string output = folder_.Read("prompts.jsonl");
  const auto fault = [this] {
    const absl::Status status = Open().status();
    EXPECT_TRUE(absl::IsDataLoss(status)) << status;
    return std::string(status.message());
  };
  folder_.Write("prompts.jsonl", output + "{\"more\":1}\n");
  EXPECT_THAT(fault(), HasSubstr("line 3 of the output"));
  folder_.Write("prompts.jsonl", "x" + output);
  EXPECT_THAT(fault(), HasSubstr("line 1 of the output"));
  folder_.Write("prompts.jsonl", output);

  const std::string second =
      journal.substr(journal.find('\n') + 1, journal.find("\n", journal.find('\n') + 1) - journal.find('\n'));
  folder_.Write("prompts.jsonl.journal", journal + second);  // an outcome twice
  EXPECT_THAT(fault(), HasSubstr("line 7 of the journal is damaged: its caption"));
  folder_.Write("prompts.jsonl.journal", journal + "{\"index\":5,\"outcome\":\"unchanged\"}\n");
  EXPECT_THAT(fault(), HasSubstr("line 7 of the journal is damaged: its caption"));
  folder_.Write("prompts.jsonl.journal", journal + "nonsense\n");
  EXPECT_THAT(fault(), HasSubstr("line 7 of the journal is damaged: the line is no JSON"));
  folder_.Write("prompts.jsonl.journal", journal.substr(journal.find('\n') + 1));  // no header
  EXPECT_THAT(fault(), HasSubstr("line 1 of the journal is damaged: the header"));
}

TEST_F(JournalTest, CanBeReadByOthersMeanwhile) {
  const auto writer = Open();
  ASSERT_TRUE((*writer)->Append(Accepted(3), 7, 0).ok());
  ASSERT_TRUE((*writer)->Append(Rejected(1, RejectReason::kRefused), 7, 0).ok());
  const Usage in_vain{.requests = 3, .prompt_tokens = 40, .completion_tokens = 5, .cost_micro_usd = 6};
  ASSERT_TRUE((*writer)->RecordMoney(13, 0, in_vain).ok());
  std::vector<std::string> seen;
  const auto visit = [&seen](const JournalRecord& record) {
    seen.emplace_back(RejectName(record.outcome.rejected));
  };
  Usage lost;
  ASSERT_TRUE(ReadJournal(out() + ".journal", visit, lost).ok());
  EXPECT_EQ(seen, (std::vector<std::string>{"none", "refused"}));
  EXPECT_EQ(lost, in_vain);
}

TEST(JournalRecordTest, RejectNamesComeBack) {
  for (int i = 0; i < kRejectReasons; ++i) {
    RejectReason read;
    ASSERT_TRUE(ParseReject(RejectName(static_cast<RejectReason>(i)), read));
    EXPECT_EQ(read, static_cast<RejectReason>(i));
  }
  RejectReason unused;
  EXPECT_FALSE(ParseReject("odd", unused));
}

}  // namespace
}  // namespace ip2p
