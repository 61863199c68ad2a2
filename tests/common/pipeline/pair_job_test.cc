// The batch job: its way through a prompts file, and what may come in between.
#include <filesystem>
#include <map>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "tests/common/pipeline/pair_job_fixture.h"
#include "tests/fakes/file_size_limit.h"

namespace ip2p {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Key;
using ::testing::Not;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

TEST_F(PairJobTest, MakesEveryPromptOnce) {
  WritePrompts(5);
  ASSERT_TRUE(Run(Options("out")).ok());
  EXPECT_EQ(report_.rows, 5);
  EXPECT_EQ(report_.finished, 5);
  EXPECT_EQ(report_.left, 0);
  EXPECT_EQ(report_.sampled, 30);
  EXPECT_EQ(report_.verdicts[0], report_.passed);
  EXPECT_GT(report_.kept, 0);
  const auto files = Files("out");
  EXPECT_EQ(files.at("0000004/prompt.json").find("\"caption\":\"caption 4\""), 1u);
  const std::string scores = files.at("0000000/scores.jsonl");
  EXPECT_EQ(std::count(scores.begin(), scores.end(), '\n'), 6);
  for (const auto& [name, bytes] : files) EXPECT_THAT(name, Not(HasSubstr("tmp")));

  ASSERT_TRUE(Run(Options("out")).ok());  // again: nothing is left, nothing is loaded
  EXPECT_EQ(report_.resumed, 5);
  EXPECT_EQ(report_.finished, 0);
  EXPECT_EQ(listener_.loads, 1);
  EXPECT_THAT(Differing(Files("out"), files), IsEmpty());
}

TEST_F(PairJobTest, PartitionsMakeTheSameBytes) {
  WritePrompts(12);
  ASSERT_TRUE(Run(Options("one")).ok());
  const auto expected = Files("one");
  for (const int64_t n : {5, 12, 20}) {
    const std::string out = absl::StrCat("of", n);
    for (int64_t p = n - 1; p >= 0; --p) {
      PairJobOptions options = Options(out);
      options.n_partitions = n;
      options.partition = p;
      ASSERT_TRUE(Run(options).ok()) << p;
    }
    EXPECT_THAT(Differing(Files(out), expected), IsEmpty()) << n;
  }
}

TEST_F(PairJobTest, PhotosAreFoundByTheirCaptions) {
  WritePrompts(4);
  WritePhoto("a.jpg", 10);
  WritePhoto("b.jpg", 200);
  folder_.Write("set/torn.jpg", "no picture");
  folder_.Write("set/metadata.jsonl", R"({"file_name":"a.jpg","caption":"caption 0"}
{"file_name":"b.jpg","text":"caption 2"}
{"file_name":"b.jpg","caption":"caption 0"}
{"file_name":"torn.jpg","caption":"caption 3"}
)");
  PairJobOptions options = Options("out");
  options.photos = folder_.In("set");
  EXPECT_THAT(Run(options).message(), HasSubstr("common_steps is 0; wants more"));
  options.params.common_steps = 0.5;
  std::map<std::string, int> levels;
  sampler_.on_make = [&levels](const PairPrompt& prompt) {
    levels[prompt.caption] = prompt.photo.pixels.at(0);
  };
  ASSERT_TRUE(Run(options).ok());
  EXPECT_EQ(report_.finished, 2);
  EXPECT_EQ(report_.bad_rows, 2);
  EXPECT_EQ(report_.left, 0);
  EXPECT_THAT(levels,
              UnorderedElementsAre(Pair("caption 0", 10), Pair("caption 2", 200)));  // the first of two
  EXPECT_THAT(listener_.bad_rows[2], HasSubstr("no picture of the photos has this caption"));
  EXPECT_THAT(listener_.bad_rows[4], HasSubstr("its photo: "));

  // A dataset from photos is no other one.
  folder_.Write("set/metadata.jsonl", R"({"file_name":"b.jpg","caption":"caption 0"})");
  EXPECT_THAT(Run(options).message(), HasSubstr("photos_sha256"));
  options.photos = "";
  EXPECT_THAT(Run(options).message(), HasSubstr("photos_sha256"));
  options.photos = folder_.In("none");
  EXPECT_TRUE(absl::IsNotFound(Run(options)));
}

TEST_F(PairJobTest, PhotosOfEditedCaptionsAreFoundByThem) {
  WritePrompts(2);
  WritePhoto("a.jpg", 9);
  folder_.Write("set/metadata.jsonl", R"({"file_name":"a.jpg","caption":"output 1"}
{"file_name":"a.jpg","caption":"caption 0"}
)");
  PairJobOptions options = Options("out");
  options.photos = folder_.In("set");
  options.photo_side = PhotoSide::kAfter;
  options.params.common_steps = 0.5;
  ASSERT_TRUE(Run(options).ok());
  EXPECT_EQ(report_.finished, 1);
  EXPECT_THAT(listener_.bad_rows[1], HasSubstr("no picture of the photos has this edited caption"));
  options.photo_side = PhotoSide::kBefore;
  EXPECT_THAT(Run(options).message(), HasSubstr("photos_show"));
  options.photo_side = PhotoSide::kAfter;
  options.photos = "";
  EXPECT_THAT(Run(options).message(), HasSubstr("photos_show is after and no photos are given"));
}

TEST_F(PairJobTest, PartitionsAtOnceAndTwice) {
  WritePrompts(10);
  ASSERT_TRUE(Run(Options("one")).ok());
  std::vector<std::thread> threads;
  std::vector<absl::Status> outcomes(10);
  for (int i = 0; i < 10; ++i) {
    threads.emplace_back([this, i, &outcomes] {
      PairJobOptions options = Options("many");
      options.n_partitions = 5;
      options.partition = i / 2;
      StepListener listener;
      PairJobReport report;
      outcomes[static_cast<size_t>(i)] = RunPairJob(
          options, [this] { return std::make_unique<FakePairSampler>(sampler_); }, listener, report);
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const absl::Status& outcome : outcomes) EXPECT_TRUE(outcome.ok()) << outcome;
  // Whoever came second found somebody at work, or everything done.
  EXPECT_THAT(Differing(Files("many"), Files("one")), IsEmpty());
}

TEST_F(PairJobTest, ASecondOneLeavesTheWorkToTheFirst) {
  WritePrompts(3);
  listener_.on_step = [this](const PairJobReport&, const PairStep&) {
    StepListener second;
    PairJobReport report;
    const absl::Status status = RunPairJob(
        Options("out"), [this] { return std::make_unique<FakePairSampler>(sampler_); }, second, report);
    EXPECT_TRUE(status.ok()) << status;
    EXPECT_TRUE(report.elsewhere);
    EXPECT_EQ(second.loads, 0);
    return absl::OkStatus();
  };
  ASSERT_TRUE(Run(Options("out")).ok());
  EXPECT_FALSE(report_.elsewhere);
  EXPECT_EQ(report_.finished, 3);
}

TEST_F(PairJobTest, GoesOnAfterAnEndAtEveryStep) {
  WritePrompts(4);
  ASSERT_TRUE(Run(Options("whole")).ok());
  const auto expected = Files("whole");
  sampler_.batch = 3;
  int finished_before = 0;
  for (int steps = 1; report_.left > 0 || steps == 1; ++steps) {
    int count = 0;
    listener_.on_step = [&count, steps](const PairJobReport&, const PairStep&) {
      return ++count == steps ? absl::CancelledError("stop") : absl::OkStatus();
    };
    const absl::Status status = Run(Options("cut"));
    if (!status.ok()) {
      EXPECT_EQ(status, absl::CancelledError("stop"));
    }
    EXPECT_EQ(report_.resumed, finished_before);
    finished_before += static_cast<int>(report_.finished);
    ASSERT_LT(steps, 100);
  }
  EXPECT_EQ(finished_before, 4);  // none was made twice
  EXPECT_THAT(Differing(Files("cut"), expected), IsEmpty());
}

TEST_F(PairJobTest, AFullDiskAtAnyWrite) {
  WritePrompts(3);
  ASSERT_TRUE(Run(Options("whole")).ok());
  const auto expected = Files("whole");
  size_t largest = 0;
  for (const auto& [name, bytes] : expected) largest = std::max(largest, bytes.size());
  int failures = 0;
  for (rlim_t limit = 0; limit <= largest; limit += 40) {
    absl::Status status;
    {
      const FileSizeLimit full(limit);
      status = Run(Options("cut"));
    }
    if (status.ok()) continue;
    ++failures;
    EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
    for (const auto& [name, bytes] : Files("cut")) {
      EXPECT_THAT(expected, Contains(std::pair(name, bytes))) << limit;  // what is there is whole
    }
  }
  EXPECT_GT(failures, 5);
  ASSERT_TRUE(Run(Options("cut")).ok());
  EXPECT_THAT(Differing(Files("cut"), expected), IsEmpty());
}

TEST_F(PairJobTest, BadRowsAreToldAndLeftOut) {
  WritePrompts(2);
  const std::string good = folder_.Read("prompts.jsonl");
  folder_.Write(
      "prompts.jsonl",
      absl::StrCat("\xEF\xBB\xBF", good, "not json\r\n", "\n", R"({"caption":1,"edit":"e","output":"o"})",
                   "\n", "{\"caption\":\"\xff\",\"edit\":\"e\",\"output\":\"o\"}\n",
                   std::string(2'000'000, 'x'), "\n", R"({"input":"a","edit":"e","output":"b"})"));
  ASSERT_TRUE(Run(Options("out")).ok());
  EXPECT_EQ(report_.rows, 7);  // the blank line is none
  EXPECT_EQ(report_.bad_rows, 4);
  EXPECT_EQ(report_.finished, 3);
  EXPECT_THAT(listener_.bad_rows, UnorderedElementsAre(Key(3), Key(5), Key(6), Key(7)));
  EXPECT_THAT(listener_.bad_rows[7], HasSubstr("2000000 bytes"));
  EXPECT_TRUE(Files("out").contains("0000006/prompt.json"));
  EXPECT_EQ(Files("out")["0000006/prompt.json"].find("{\"input\":\"a\""), 0u);  // as it was given
}

TEST_F(PairJobTest, WrongInputsAreFinal) {
  PairJobOptions options = Options("out");
  EXPECT_EQ(Run(options).code(), absl::StatusCode::kNotFound);
  options.prompts_file = folder_.path();
  EXPECT_EQ(Run(options).code(), absl::StatusCode::kInvalidArgument);
  options.prompts_file = folder_.Write("captions.jsonl", "{\"text\":\"a\"}\n{\"text\":\"b\"}\n");
  const absl::Status none = Run(options);
  EXPECT_EQ(none.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(none.message()),
              HasSubstr("no row of the prompts file is a prompt; the first of 2"));
  WritePrompts(1);
  options = Options("out");
  options.n_partitions = 5;
  options.partition = 5;
  EXPECT_THAT(std::string(Run(options).message()), HasSubstr("partition is 5; wants 0..4 of 5"));
  EXPECT_FALSE(std::filesystem::exists(folder_.In("out")));
}

TEST_F(PairJobTest, OtherSettingsAreRefusedByName) {
  WritePrompts(3);
  ASSERT_TRUE(Run(Options("out")).ok());
  PairJobOptions options = Options("out");
  options.params.thresholds.dir = 0.4;
  absl::Status status = Run(options);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("clip_dir_threshold 0.5; wants clip_dir_threshold 0.4"));
  std::filesystem::remove_all(folder_.In("out/0000001"));
  sampler_.fingerprint = "11111111111111111111111111111111";
  status = Run(Options("out"));
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("weights"));
  WritePrompts(4);
  EXPECT_THAT(std::string(Run(Options("out")).message()), HasSubstr("prompts_sha256"));
}

TEST_F(PairJobTest, AModelThatMakesNothingButNanIsRefused) {
  WritePrompts(2);
  sampler_.all_nan = true;
  const absl::Status status = Run(Options("out"));
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("all 6 samples of row 0 are NaN at precision fp32"));
}

TEST_F(PairJobTest, AnEmptyFileAndAnEmptyShareAreDone) {
  folder_.Write("prompts.jsonl", "");
  EXPECT_TRUE(Run(Options("out")).ok());
  EXPECT_EQ(report_.rows, 0);
  EXPECT_EQ(listener_.loads, 0);
}

TEST_F(PairJobTest, EarlyStopTellsWhatItSaved) {
  WritePrompts(2);
  sampler_.lowest = 0.8;
  PairJobOptions options = Options("out");
  options.params.early_stop = true;
  ASSERT_TRUE(Run(options).ok());
  EXPECT_EQ(report_.sampled, 4);
  EXPECT_EQ(report_.saved, 8);
}

}  // namespace
}  // namespace ip2p
