// What a request gets: events, settings, refusals.
#include "common/image/decode.h"
#include "gmock/gmock.h"
#include "tests/services/pair_generator/server_fixture.h"

namespace ip2p::pair_generator {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using GenerateTest = ServerTest;

PairParams ParamsOf(const GeneratePairsRequest& request) {
  PairParams params;
  params.steps = request.params().steps();
  params.n_samples = request.params().n_samples();
  params.max_out_samples = request.params().max_out_samples();
  params.thresholds = {0.2, 0.2, 0.2};
  params.seed = request.params().seed();
  return params;
}

TEST_F(GenerateTest, StreamsWhatTheEngineMakes) {
  Start();
  GeneratePairsRequest request = SmallRequest(2);
  request.set_first_prompt_index(4711);
  request.mutable_params()->set_seed(5);
  const Events events = Run(request);
  ASSERT_TRUE(events.status.ok()) << events.status;
  ASSERT_TRUE(events.all.front().has_started());
  EXPECT_TRUE(events.all.back().has_finished());
  size_t at = 0;
  for (int i = 0; i < 2; ++i) {
    FakePairSampler reference({.batch = 1});
    const auto expected = GeneratePairs(reference, {absl::StrCat("caption ", i), absl::StrCat("output ", i)},
                                        4711 + i, ParamsOf(request));
    ASSERT_TRUE(expected.ok());
    for (const Sample& sample : expected->samples) {
      const pair::v1::Sample& told = events.samples.at(at++);
      EXPECT_EQ(told.prompt_index(), 4711 + i);
      EXPECT_EQ(told.sample_index(), sample.sample_index);
      EXPECT_EQ(told.seed(), sample.seed);
      EXPECT_EQ(told.p2p_threshold(), sample.p2p_threshold);
      EXPECT_EQ(told.cfg_scale(), sample.cfg_scale);
      EXPECT_EQ(told.scores().sim_dir(), sample.scores->sim_dir);
      EXPECT_EQ(told.verdict(), static_cast<int>(sample.verdict) + 1);
    }
    ASSERT_EQ(expected->kept.size(), 2u);
    for (size_t k = 0; k < 2; ++k) {
      const pair::v1::Pair& pair = events.pairs.at(static_cast<size_t>(i) * 2 + k);
      EXPECT_EQ(pair.sample().seed(), expected->kept[k].seed);
      EXPECT_EQ(pair.before().data(), expected->pairs[k].before);
      EXPECT_EQ(pair.after().data(), expected->pairs[k].after);
      EXPECT_EQ(pair.after().format(), image::v1::IMAGE_FORMAT_JPEG);
    }
    const pair::v1::PromptFinished& finished = events.finished.at(static_cast<size_t>(i));
    EXPECT_EQ(finished.prompt_index(), 4711 + i);
    EXPECT_EQ(finished.sampled(), 10);
    EXPECT_EQ(finished.passed(), expected->passed);
    EXPECT_EQ(finished.kept(), 2);
  }
  EXPECT_EQ(at, events.samples.size());
}

TEST_F(GenerateTest, DefaultsAreTheReferences) {
  Start();
  GeneratePairsRequest request;
  request.add_prompts()->set_caption("a");
  request.mutable_prompts(0)->set_output("b");
  const Events events = Run(request);
  ASSERT_TRUE(events.status.ok()) << events.status;
  const pair::v1::PairParams& params = events.all.front().started().params();
  EXPECT_EQ(params.steps(), 100);
  EXPECT_EQ(params.n_samples(), 100);
  EXPECT_EQ(params.max_out_samples(), 4);
  EXPECT_EQ(params.min_p2p(), 0.1);
  EXPECT_EQ(params.max_p2p(), 0.9);
  EXPECT_EQ(params.min_cfg(), 7.5);
  EXPECT_EQ(params.max_cfg(), 15);
  EXPECT_EQ(params.clip_threshold(), 0.2);
  EXPECT_EQ(params.clip_dir_threshold(), 0.2);
  EXPECT_EQ(params.clip_img_threshold(), 0.7);
  EXPECT_EQ(params.resolution(), 512);
  EXPECT_TRUE(params.safety_check());
  EXPECT_EQ(params.precision(), model::v1::PRECISION_FP32);
  EXPECT_EQ(events.samples.size(), 100u);
}

TEST_F(GenerateTest, EverythingIsRefusedInOneAnswer) {
  Start();
  GeneratePairsRequest request = SmallRequest(2);
  request.mutable_prompts(1)->clear_output();
  request.mutable_params()->set_steps(0);
  request.mutable_params()->set_precision(static_cast<model::v1::Precision>(77));
  request.set_first_prompt_index(-1);
  const absl::Status status = Run(request).status;
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  for (const char* fault : {"prompts[1]: output is missing", "params: steps is 0; wants 1..1000",
                            "params.precision is 77", "first_prompt_index is -1; wants 0..1000000000"}) {
    EXPECT_THAT(std::string(status.message()), HasSubstr(fault));
  }
  EXPECT_THAT(std::string(Run(SmallRequest(0)).status.message()), HasSubstr("prompts are 0; wants 1..100"));
  EXPECT_THAT(std::string(Run(SmallRequest(101)).status.message()),
              HasSubstr("prompts are 101; wants 1..100"));
  EXPECT_TRUE(Run(SmallRequest()).status.ok());
}

TEST_F(GenerateTest, TextThatIsNotUtf8) {
  Start();
  GeneratePairsRequest request = SmallRequest();
  request.mutable_prompts(0)->set_caption("\xff\xfe");
  EXPECT_EQ(Run(request).status.code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(GenerateTest, ModelsByName) {
  ServerConfig config = DefaultConfig();
  config.models.push_back({"second", {}});
  Start(config);
  GeneratePairsRequest request = SmallRequest();
  request.set_model("second");
  EXPECT_TRUE(Run(request).status.ok());
  EXPECT_EQ(samplers_[0]->made(), 0);
  EXPECT_EQ(samplers_[1]->made(), 10);
  request.set_model("third");
  const absl::Status status = Run(request).status;
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("\"third\"; wants one of default, second"));
  request.set_model("default");
  request.mutable_params()->set_precision(model::v1::PRECISION_BF16);
  EXPECT_EQ(Run(request).status.code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(GenerateTest, ThresholdsWantAClip) {
  options_.clip = false;
  Start();
  EXPECT_EQ(Run(SmallRequest()).status.code(), absl::StatusCode::kFailedPrecondition);
  GeneratePairsRequest request = SmallRequest();
  pair::v1::PairParams& params = *request.mutable_params();
  params.set_clip_threshold(0);
  params.set_clip_dir_threshold(0);
  params.set_clip_img_threshold(0);
  const Events events = Run(request);
  EXPECT_TRUE(events.status.ok()) << events.status;
  EXPECT_FALSE(events.samples.at(0).has_scores());
}

TEST_F(GenerateTest, Capabilities) {
  options_.safety_checker = true;
  options_.batch = 3;
  Start();
  grpc::ClientContext context;
  pair::v1::GetCapabilitiesResponse answer;
  ASSERT_TRUE(stub_->GetCapabilities(&context, {}, &answer).ok());
  EXPECT_THAT(answer.models(), ElementsAre("default"));
  EXPECT_TRUE(answer.clip());
  EXPECT_TRUE(answer.safety_checker());
  EXPECT_EQ(answer.batch_size(), 3);
  EXPECT_EQ(answer.max_resolution(), 1024);
  EXPECT_EQ(answer.max_prompts_per_request(), 100);
}

TEST_F(GenerateTest, Figures) {
  Start();
  const Events events = Run(SmallRequest());
  ASSERT_TRUE(events.status.ok());
  EXPECT_EQ(Metric("ip2p_pairs_sampled_total"), 10);
  EXPECT_EQ(Metric("ip2p_pairs_accepted_total"), 2);
  EXPECT_EQ(Metric("ip2p_pairs_queue_depth"), 0);
  EXPECT_EQ(Metric("ip2p_pairs_queue_duration_seconds"), 1);
  EXPECT_EQ(Metric("ip2p_pairs_requests_total"), 1);
  double rejected = 0;
  double scores = 0;
  for (const auto& family : server_->metrics().registry()->Collect()) {
    for (const auto& metric : family.metric) {
      if (family.name == "ip2p_pairs_rejected_total") rejected += metric.counter.value;
      if (family.name == "ip2p_pairs_clip_score")
        scores += static_cast<double>(metric.histogram.sample_count);
    }
  }
  EXPECT_EQ(rejected, 8);  // every sample is either kept or rejected
  EXPECT_EQ(scores, 40);
}

}  // namespace
}  // namespace ip2p::pair_generator
