#include "services/gateway/proto_json.h"

#include <limits>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ip2p/edit/v1/edit_service.pb.h"
#include "ip2p/pair/v1/pair.pb.h"
#include "ip2p/training/v1/training_service.pb.h"

namespace ip2p::gateway {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

TEST(ToJsonTest, SpeaksPlainWordsAndNumbers) {
  training::v1::Job job;
  job.set_id("first-1");
  job.set_state(training::v1::JOB_STATE_RUNNING);
  job.mutable_create_time()->set_seconds(1'700'000'000);
  job.mutable_metrics()->mutable_remaining()->set_seconds(90);
  job.mutable_metrics()->set_samples(int64_t{1} << 40);
  job.mutable_metrics()->set_loss(std::numeric_limits<double>::quiet_NaN());
  const json told = ToJson(job);
  EXPECT_EQ(told["state"], "running");
  EXPECT_EQ(told["create_time"], "2023-11-14T22:13:20.000Z");
  EXPECT_EQ(told["metrics"]["remaining"], 90.0);
  EXPECT_EQ(told["metrics"]["samples"], int64_t{1} << 40);
  EXPECT_TRUE(told["metrics"]["loss"].is_null());
  EXPECT_EQ(told["restarts"], 0);
  EXPECT_FALSE(told.contains("start_time"));
  EXPECT_FALSE(told.contains("spec"));
}

TEST(ToJsonTest, LeavesOutWhatIsUnspecifiedAndWhatIsNotChosen) {
  edit::v1::StreamEditResponse event;
  event.mutable_progress()->mutable_preview()->set_data("\x01\x02");
  const json told = ToJson(event);
  EXPECT_EQ(told["progress"]["preview"]["data"], "AQI=");
  EXPECT_FALSE(told["progress"]["preview"].contains("format"));
  EXPECT_FALSE(told.contains("accepted"));
}

TEST(ToJsonTest, WordsOfEnumsLoseTheirPrefix) {
  pair::v1::Sample sample;
  sample.set_verdict(pair::v1::SAMPLE_VERDICT_BELOW_CLIP);
  sample.set_seed(std::numeric_limits<uint64_t>::max());
  EXPECT_EQ(ToJson(sample)["verdict"], "below_clip");
  EXPECT_EQ(ToJson(sample)["seed"], std::numeric_limits<uint64_t>::max());
}

TEST(FromJsonTest, ReadsWhatToJsonWrites) {
  training::v1::SubmitJobRequest request;
  request.set_request_id("r");
  request.mutable_spec()->set_name("first");
  request.mutable_spec()->set_objective(training::v1::OBJECTIVE_INSTRUCT_PIX2PIX);
  request.mutable_spec()->mutable_params()->set_max_steps(500);
  request.mutable_spec()->mutable_params()->set_learning_rate(1e-4);
  request.mutable_spec()->mutable_params()->set_cache_latents(true);
  training::v1::SubmitJobRequest read;
  ASSERT_TRUE(FromJson(ToJson(request), "", &read).ok());
  EXPECT_EQ(read.SerializeAsString(), request.SerializeAsString());
}

TEST(FromJsonTest, FaultsNameTheWholePath) {
  const auto fault = [](const char* text) {
    training::v1::SubmitJobRequest request;
    return std::string(FromJson(json::parse(text), "", &request).message());
  };
  EXPECT_EQ(
      fault(R"({"spec": {"params": {"max_steps": "x"}}})"),
      "spec.params.max_steps is \"x\"; wants a whole number in -9223372036854775808..9223372036854775807");
  EXPECT_THAT(fault(R"({"spec": {"objective": "magic"}})"),
              HasSubstr("spec.objective is \"magic\"; wants instruct_pix2pix"));
  EXPECT_THAT(fault(R"({"spec": {"colour": 1}})"), HasSubstr("\"spec.colour\" is no field"));
  EXPECT_THAT(fault(R"({"spec": 7})"), HasSubstr("spec is 7; wants an object"));
  EXPECT_THAT(fault(R"({"spec": {"params": {"cache_latents": 1}}})"), HasSubstr("wants true or false"));
  EXPECT_THAT(fault(R"({"spec": {"params": {"learning_rate": "1e999"}}})"), HasSubstr("learning_rate"));
  EXPECT_THAT(fault(R"({"request_id": ["a"]})"), HasSubstr("request_id is an array; wants a text"));
}

TEST(FromJsonTest, ANumberMayBeTextOrHaveAPoint) {
  training::v1::TrainParams params;
  ASSERT_TRUE(
      FromJson({{"max_steps", "20"}, {"batch_size", 4.0}, {"learning_rate", "0.5"}}, "", &params).ok());
  EXPECT_EQ(params.max_steps(), 20);
  EXPECT_EQ(params.batch_size(), 4);
  EXPECT_EQ(params.learning_rate(), 0.5);
}

TEST(FromJsonTest, ArraysBecomeRepeatedFields) {
  training::v1::ListJobsRequest request;
  ASSERT_TRUE(FromJson({{"states", {"running", "paused"}}}, "", &request).ok());
  EXPECT_EQ(request.states_size(), 2);
  EXPECT_FALSE(FromJson({{"states", "running"}}, "", &request).ok());
}

}  // namespace
}  // namespace ip2p::gateway
