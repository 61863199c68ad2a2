// The loop over one prompt's samples, against a sampler of hashes.
#include "common/pipeline/pair_generation.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <set>
#include <tuple>

#include "common/image/decode.h"
#include "gmock/gmock.h"
#include "tests/fakes/fake_pair_sampler.h"

namespace ip2p {
namespace {

using ::testing::ElementsAre;

const PairPrompt kPrompt{"a red circle", "a green circle"};
constexpr int64_t kIndex = 7;

PairParams SmallParams() {
  PairParams params;
  params.steps = 3;
  params.n_samples = 30;
  params.max_out_samples = 4;
  params.thresholds = {.clip = 0.3, .dir = 0.3, .img = 0.3};
  return params;
}

PromptPairs Generate(FakePairSampler& sampler, const PairParams& params, const PairHooks& hooks = {}) {
  absl::StatusOr<PromptPairs> pairs = GeneratePairs(sampler, kPrompt, kIndex, params, hooks);
  EXPECT_TRUE(pairs.ok()) << pairs.status();
  return pairs.ok() ? *std::move(pairs) : PromptPairs();
}

std::vector<uint64_t> SeedsOf(const PromptPairs& pairs) {
  std::vector<uint64_t> seeds;
  for (const Sample& sample : pairs.kept) seeds.push_back(sample.seed);
  return seeds;
}

// What the reference does once all samples are there.
std::vector<uint64_t> BestOf(const std::vector<Sample>& samples, const PairParams& params) {
  std::vector<std::tuple<double, uint64_t>> passed;
  for (const Sample& s : samples) {
    if (s.scores->sim_image >= params.thresholds.img && s.scores->sim_dir >= params.thresholds.dir &&
        s.scores->sim_0 >= params.thresholds.clip && s.scores->sim_1 >= params.thresholds.clip) {
      passed.emplace_back(s.scores->sim_dir, s.seed);
    }
  }
  std::sort(passed.rbegin(), passed.rend());
  passed.resize(std::min(passed.size(), static_cast<size_t>(params.max_out_samples)));
  std::vector<uint64_t> seeds;
  for (const auto& [dir, seed] : passed) seeds.push_back(seed);
  return seeds;
}

void ExpectSame(const PromptPairs& a, const PromptPairs& b) {
  EXPECT_EQ(a.samples, b.samples);
  EXPECT_EQ(a.passed, b.passed);
  EXPECT_EQ(a.saved, b.saved);
  EXPECT_EQ(a.kept, b.kept);
  ASSERT_EQ(a.pairs.size(), a.kept.size());
  ASSERT_EQ(a.pairs.size(), b.pairs.size());
  for (size_t i = 0; i < a.pairs.size(); ++i) {
    EXPECT_EQ(a.pairs[i].seed, a.kept[i].seed);
    EXPECT_EQ(a.pairs[i].before, b.pairs[i].before);
    EXPECT_EQ(a.pairs[i].after, b.pairs[i].after);
  }
}

TEST(PairGenerationTest, KeepsTheBestAndAllScores) {
  FakePairSampler sampler;
  const PairParams params = SmallParams();
  const PromptPairs pairs = Generate(sampler, params);
  ASSERT_EQ(pairs.samples.size(), 30u);
  EXPECT_EQ(SeedsOf(pairs), BestOf(pairs.samples, params));
  EXPECT_EQ(pairs.kept.size(), 4u);
  EXPECT_GT(pairs.passed, 4);
  EXPECT_EQ(pairs.saved, 0);
  int kept = 0;
  for (size_t i = 0; i < pairs.samples.size(); ++i) {
    const Sample& sample = pairs.samples[i];
    EXPECT_EQ(sample.prompt_index, kIndex);
    EXPECT_EQ(sample.sample_index, static_cast<int>(i));
    kept += sample.kept ? 1 : 0;
  }
  EXPECT_EQ(kept, 4);
  const absl::StatusOr<DecodedImage> image = DecodeImage(pairs.pairs[0].before);
  ASSERT_TRUE(image.ok()) << image.status();
  EXPECT_EQ(image->format, ImageFormat::kJpeg);
  EXPECT_EQ(image->image.width, 16);
}

TEST(PairGenerationTest, TheBatchDoesNotShow) {
  for (const bool early_stop : {false, true}) {
    PairParams params = SmallParams();
    params.early_stop = early_stop;
    FakePairSampler one({.batch = 1});
    const PromptPairs expected = Generate(one, params);
    EXPECT_EQ(expected.saved > 0, early_stop);
    for (const int batch : {2, 7, 30, 64}) {
      FakePairSampler many({.batch = batch});
      ExpectSame(Generate(many, params), expected);
      EXPECT_LE(many.largest_batch(), batch);
    }
  }
}

TEST(PairGenerationTest, SeedsFollowFromGlobalSeedPromptAndSample) {
  PairParams params = SmallParams();
  const std::vector<uint64_t> seeds = SampleSeeds(params, 3);
  params.n_samples = 10;
  const std::vector<uint64_t> fewer = SampleSeeds(params, 3);
  EXPECT_TRUE(std::equal(fewer.begin(), fewer.end(), seeds.begin()));
  EXPECT_NE(SampleSeeds(params, 4), fewer);
  params.seed = 1;
  EXPECT_NE(SampleSeeds(params, 3), fewer);
  params.n_samples = 10'000;  // two of 32 bits meet about once in a hundred prompts of this many
  for (int64_t prompt = 0; prompt < 200; ++prompt) {
    const std::vector<uint64_t> many = SampleSeeds(params, prompt);
    EXPECT_EQ(std::set<uint64_t>(many.begin(), many.end()).size(), many.size());
    EXPECT_LE(*std::max_element(many.begin(), many.end()), UINT64_C(0xffffffff));
  }
}

TEST(PairGenerationTest, GivenSeedsAreReplayed) {
  FakePairSampler sampler;
  const PromptPairs all = Generate(sampler, SmallParams());
  PairParams replay = SmallParams();
  replay.seeds = {all.kept[1].seed, UINT64_MAX - 1, all.kept[0].seed};
  replay.thresholds = {-1, -1, -1};
  const PromptPairs again = Generate(sampler, replay);
  ASSERT_EQ(again.samples.size(), 3u);
  EXPECT_EQ(again.samples[0].scores, all.kept[1].scores);
  EXPECT_EQ(again.samples[1].seed, UINT64_MAX - 1);
  EXPECT_EQ(again.samples[2].p2p_threshold, all.kept[0].p2p_threshold);
}

TEST(PairGenerationTest, WithoutThresholdsTheHighestSeedsStay) {
  FakePairSampler sampler({.clip = false});
  PairParams params = SmallParams();
  params.thresholds = {0, 0, 0};
  params.seeds = {5, 9, 1, 7, 3};
  params.max_out_samples = 3;
  const PromptPairs pairs = Generate(sampler, params);
  EXPECT_THAT(SeedsOf(pairs), ElementsAre(9, 7, 5));
  EXPECT_EQ(pairs.passed, 5);
  EXPECT_FALSE(pairs.samples[0].scores.has_value());
}

TEST(PairGenerationTest, VerdictsOnNanAndUnsafe) {
  FakePairSampler sampler({.safety_checker = true, .nan_seed = 2, .unsafe_seed = 3});
  PairParams params = SmallParams();
  params.seeds = {1, 2, 3};
  params.thresholds = {-1, -1, -1};
  PromptPairs pairs = Generate(sampler, params);
  EXPECT_EQ(pairs.samples[0].verdict, SampleVerdict::kPassed);
  EXPECT_EQ(pairs.samples[1].verdict, SampleVerdict::kNotFinite);
  EXPECT_EQ(pairs.samples[2].verdict, SampleVerdict::kUnsafe);
  EXPECT_THAT(SeedsOf(pairs), ElementsAre(1));
  params.safety_check = false;
  pairs = Generate(sampler, params);
  EXPECT_EQ(pairs.samples[2].verdict, SampleVerdict::kPassed);
}

TEST(PairGenerationTest, NothingPassing) {
  FakePairSampler sampler;
  PairParams params = SmallParams();
  params.thresholds.dir = 1;
  const PromptPairs pairs = Generate(sampler, params);
  EXPECT_TRUE(pairs.kept.empty());
  EXPECT_EQ(pairs.passed, 0);
  EXPECT_EQ(pairs.samples.size(), 30u);
}

TEST(EarlyStopTest, EnoughGoodOnes) {
  FakePairSampler sampler({.batch = 1, .lowest = 0.5, .highest = 0.9});
  PairParams params = SmallParams();  // everything passes with room
  params.early_stop = true;
  const PromptPairs pairs = Generate(sampler, params);
  EXPECT_EQ(pairs.samples.size(), 4u);
  EXPECT_EQ(pairs.saved, 26);
  EXPECT_EQ(sampler.made(), 4);
}

TEST(EarlyStopTest, PassingWithoutMarginIsNotEnough) {
  FakePairSampler sampler({.lowest = 0.3, .highest = 0.34});
  PairParams params = SmallParams();
  params.early_stop = true;
  const PromptPairs pairs = Generate(sampler, params);
  EXPECT_EQ(pairs.samples.size(), 30u);
  EXPECT_EQ(pairs.passed, 30);
}

TEST(EarlyStopTest, HopelessPromptsEndSoon) {
  FakePairSampler hopeless({.lowest = 0, .highest = 0.2});
  PairParams params = SmallParams();
  params.n_samples = 100;
  params.early_stop = true;
  EXPECT_EQ(Generate(hopeless, params).samples.size(), static_cast<size_t>(EarlyStop::kTrials));
  FakePairSampler near({.lowest = 0.26, .highest = 0.29});  // under each threshold, within the margin
  EXPECT_EQ(Generate(near, params).samples.size(), 100u);
}

TEST(PairGenerationTest, HooksHearEveryStepAndSampleInOrder) {
  FakePairSampler sampler({.batch = 4});
  PairParams params = SmallParams();
  params.n_samples = 6;
  std::vector<std::string> heard;
  PairHooks hooks;
  hooks.sample = [&](const Sample& sample) {
    heard.push_back("sample " + std::to_string(sample.sample_index));
  };
  hooks.step = [&](const PairStep& step) {
    EXPECT_EQ(step.samples_total, 6);
    EXPECT_EQ(step.steps, 3);
    heard.push_back(std::to_string(step.samples_done) + " step " + std::to_string(step.step));
    return absl::OkStatus();
  };
  Generate(sampler, params, hooks);
  EXPECT_THAT(heard, ElementsAre("0 step 1", "0 step 2", "0 step 3", "sample 0", "sample 1", "sample 2",
                                 "sample 3", "4 step 1", "4 step 2", "4 step 3", "sample 4", "sample 5"));
}

TEST(PairGenerationTest, AnErrorOfTheStepHookEndsAtThatStep) {
  FakePairSampler sampler;
  PairHooks hooks;
  hooks.step = [](const PairStep& step) {
    return step.samples_done > 0 && step.step == 2 ? absl::CancelledError("enough") : absl::OkStatus();
  };
  const auto pairs = GeneratePairs(sampler, kPrompt, kIndex, SmallParams(), hooks);
  EXPECT_EQ(pairs.status(), absl::CancelledError("enough"));
  EXPECT_EQ(sampler.steps(), 3 + 2);
}

TEST(PairGenerationTest, ScoresWithoutClipAreRefused) {
  FakePairSampler sampler({.clip = false});
  const auto pairs = GeneratePairs(sampler, kPrompt, kIndex, SmallParams());
  EXPECT_EQ(pairs.status().code(), absl::StatusCode::kFailedPrecondition);
}

// Megabytes of this process that are resident now.
double ResidentMegabytes() {
  std::ifstream statm("/proc/self/statm");
  int64_t size = 0, resident = 0;
  statm >> size >> resident;
  return static_cast<double>(resident) * static_cast<double>(sysconf(_SC_PAGESIZE)) / 1e6;
}

TEST(PairGenerationTest, PicturesThatAreNotAmongTheBestLeaveMemory) {
  FakePairSampler sampler({.batch = 4, .side = 512});
  PairParams params = SmallParams();
  params.n_samples = 400;  // 630 MB of decoded pictures
  params.thresholds = {.clip = 0.01, .dir = 0.01, .img = 0.01};
  const double before = ResidentMegabytes();
  double most = before;
  PairHooks hooks;
  hooks.sample = [&most](const Sample&) { most = std::max(most, ResidentMegabytes()); };
  const PromptPairs pairs = Generate(sampler, params, hooks);
  EXPECT_GT(pairs.passed, 300);
  EXPECT_EQ(pairs.kept.size(), 4u);
  EXPECT_LT(most - before, 400);  // below the 630; a sanitizer holds freed memory back
}

}  // namespace
}  // namespace ip2p
