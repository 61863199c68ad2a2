// What a spec may say, and what it means when it says little.
#include <cmath>

#include "gmock/gmock.h"
#include "services/training_coordinator/spec_check.h"
#include "services/training_coordinator/training_proto.h"

namespace ip2p::training_coordinator {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class SpecTest : public ::testing::Test {
 protected:
  SpecTest() {
    request_.set_request_id("r1");
    training::v1::JobSpec& spec = *request_.mutable_spec();
    spec.set_name("job");
    spec.set_objective(training::v1::OBJECTIVE_INSTRUCT_PIX2PIX);
    spec.set_base_checkpoint("models/sd");
    spec.set_dataset("datasets/pairs");
  }
  training::v1::JobSpec& spec() { return *request_.mutable_spec(); }
  training::v1::TrainParams& params() { return *spec().mutable_params(); }
  absl::StatusOr<JobOrder> Order() {
    return OrderFromProto(request_, {.slots = {.cpu = 4}, .threads_per_slot = 3});
  }
  std::string Fault() {
    const auto order = Order();
    EXPECT_TRUE(absl::IsInvalidArgument(order.status())) << order.status();
    return std::string(order.status().message());
  }

  training::v1::SubmitJobRequest request_;
};

TEST_F(SpecTest, DefaultsAreTheReferences) {
  const auto order = Order();
  ASSERT_TRUE(order.ok()) << order.status();
  training::v1::JobSpec filled;
  ASSERT_TRUE(filled.ParseFromString(order->spec));
  EXPECT_EQ(filled.params().max_steps(), 10000);
  EXPECT_EQ(filled.params().learning_rate(), 1e-4);
  EXPECT_EQ(filled.params().drop_both(), 0.05);
  EXPECT_EQ(filled.params().ema_decay(), 0.9999);
  EXPECT_TRUE(filled.params().random_flip());
  EXPECT_EQ(filled.resources().threads(), 3);
  EXPECT_EQ(order->plan.objective, "instruct-pix2pix");
  EXPECT_EQ(order->plan.max_restarts, 10);
  EXPECT_EQ(order->plan.keep_checkpoints, 3);
  spec().set_objective(training::v1::OBJECTIVE_TEXT_TO_IMAGE);
  ASSERT_TRUE(filled.ParseFromString(Order()->spec));
  EXPECT_EQ(filled.params().drop_text(), 0.1);
  EXPECT_EQ(filled.params().drop_image(), 0);
}

TEST_F(SpecTest, DefaultsSaidAloudAreTheSameRequest) {
  const std::string digest = Order()->spec_digest;
  params().set_max_steps(10000);
  spec().set_max_restarts(10);
  EXPECT_EQ(Order()->spec_digest, digest);
  params().set_seed(1);
  EXPECT_NE(Order()->spec_digest, digest);
}

TEST_F(SpecTest, CropsAndOptimizer) {
  params().set_resolution(128);
  params().set_min_resize(100);
  params().set_max_resize(90);
  params().set_optimizer(static_cast<training::v1::Optimizer>(9));
  EXPECT_THAT(Fault(), AllOf(HasSubstr("spec.params.min_resize is 100; wants 128..2048"),
                             HasSubstr("spec.params.max_resize is 90; wants 100..2048"),
                             HasSubstr("spec.params.optimizer is 9; wants one of the optimizers")));
  params().set_optimizer(training::v1::OPTIMIZER_ADAMW_8BIT);
  params().set_min_resize(128);
  params().set_max_resize(160);
  EXPECT_TRUE(Order().ok()) << Order().status();
  params().set_cache_latents(true);
  EXPECT_THAT(Fault(), HasSubstr("spec.params.cache_latents is true; wants false where crops are random"));
}

TEST_F(SpecTest, ClipNeedsPicturesToTellApart) {
  spec().set_objective(training::v1::OBJECTIVE_CLIP);
  params().set_batch_size(4);
  params().set_accumulation(4);
  EXPECT_THAT(Fault(), HasSubstr("spec.params.batch_size is 4; wants at least 8 for CLIP"));
  params().set_accumulation(2);
  EXPECT_TRUE(Order().ok()) << Order().status();
}

TEST_F(SpecTest, AllFaultsAreListed) {
  spec().set_name("Job!");
  spec().set_dataset("../../etc");
  spec().mutable_resources()->set_world_size(0);
  params().set_learning_rate(std::nan(""));
  params().set_batch_size(0);
  params().set_resolution(100);
  EXPECT_THAT(Fault(), AllOf(HasSubstr("spec.name is \"Job!\"; wants [a-z0-9-]{1,63}"),
                             HasSubstr("spec.dataset is \"../../etc\"; wants a name in the data folder"),
                             HasSubstr("spec.resources.world_size is 0; wants 1..1024"),
                             HasSubstr("spec.params.learning_rate is nan; wants over 0 and at most 1"),
                             HasSubstr("spec.params.batch_size is 0; wants 1..65536"),
                             HasSubstr("spec.params.resolution is 100; wants a multiple of 64")));
}

TEST_F(SpecTest, PathsStayInTheDataFolder) {
  for (const std::string& path : {std::string("/etc"), std::string("a/../../b"), std::string(".."),
                                  std::string(), std::string("a\0b", 3), std::string(256, 'a')}) {
    spec().set_dataset(path);
    EXPECT_THAT(Fault(), HasSubstr("spec.dataset")) << path;
  }
  spec().set_dataset("a/..b/c");
  EXPECT_TRUE(Order().ok());
  spec().set_fresh_config("../x");
  EXPECT_THAT(Fault(), HasSubstr("spec.fresh_config"));
  spec().clear_start();
  EXPECT_TRUE(Order().ok()) << "the miniature";
}

TEST_F(SpecTest, TheWorldFitsItsSlots) {
  spec().mutable_resources()->set_world_size(1'000'000);
  EXPECT_THAT(Fault(), HasSubstr("spec.resources.world_size is 1000000; wants 1..1024"));
  spec().mutable_resources()->set_world_size(8);
  EXPECT_THAT(Fault(), HasSubstr("at most the 4 CPU slots"));
  spec().mutable_resources()->set_world_size(1);
  spec().mutable_resources()->set_gpu(true);
  EXPECT_THAT(Fault(), HasSubstr("at most the 0 GPU slots"));
}

TEST_F(SpecTest, BatchesDivide) {
  spec().mutable_resources()->set_world_size(3);
  EXPECT_THAT(Fault(), HasSubstr("spec.params.batch_size is 32; wants a multiple of 3"));
  params().set_batch_size(30);
  EXPECT_TRUE(Order().ok());
  params().set_accumulation(4);
  EXPECT_THAT(Fault(), HasSubstr("a multiple of 12"));
}

TEST_F(SpecTest, WhatFitsTheObjectiveOnly) {
  params().set_drop_image(0.9);
  params().set_drop_text(0.2);
  EXPECT_THAT(Fault(), HasSubstr("of at most 1"));
  spec().set_objective(training::v1::OBJECTIVE_CLIP);
  params().clear_drop_text();
  EXPECT_THAT(Fault(), HasSubstr("none but for INSTRUCT_PIX2PIX"));
  params().clear_drop_image();
  params().set_train_text_encoder(true);
  params().set_min_snr_gamma(5);
  params().set_fit_guidance(50);
  EXPECT_THAT(Fault(), AllOf(HasSubstr("spec.params.train_text_encoder is true"),
                             HasSubstr("spec.params.fit_guidance is 50; wants 0.1..20"),
                             HasSubstr("spec.params.fit_guidance is 50; wants 1 but for INSTRUCT_PIX2PIX"),
                             HasSubstr("spec.params.min_snr_gamma is 5; wants 0 but for")));
  spec().set_objective(training::v1::OBJECTIVE_TEXT_TO_IMAGE);
  params().set_fit_guidance(3);
  params().set_drop_text(0);
  EXPECT_THAT(Fault(),
              HasSubstr("spec.params.fit_guidance is 3; wants 1 where no sample goes without its text"));
  spec().set_objective(training::v1::OBJECTIVE_CLIP);
  params().set_decoder_only(true);
  params().set_latent_noise(-1);
  EXPECT_THAT(Fault(), AllOf(HasSubstr("spec.params.decoder_only is true; wants false but for AUTOENCODER"),
                             HasSubstr("spec.params.latent_noise is -1; wants 0..10")));
  params().set_decoder_only(false);
  params().set_latent_noise(1);
  EXPECT_THAT(Fault(), HasSubstr("spec.params.latent_noise is 1; wants 0 without decoder_only"));
}

TEST_F(SpecTest, NumbersThatAreNone) {
  const double infinite = INFINITY;
  params().set_weight_decay(std::nan(""));
  params().set_adam_beta1(1);
  params().set_adam_epsilon(infinite);
  params().set_group_size(0);
  params().set_max_grad_norm(-1);
  params().set_ema_decay(1);
  params().set_max_steps(0);
  EXPECT_THAT(Fault(), AllOf(HasSubstr("weight_decay is nan"), HasSubstr("adam_beta1 is 1"),
                             HasSubstr("adam_epsilon is inf"), HasSubstr("max_grad_norm is -1"),
                             HasSubstr("ema_decay is 1"), HasSubstr("max_steps is 0"),
                             HasSubstr("group_size is 0; wants 1..4096")));
}

TEST_F(SpecTest, RequestIdsAreNames) {
  request_.set_request_id("not a name");
  EXPECT_THAT(Fault(), HasSubstr("request_id"));
}

}  // namespace
}  // namespace ip2p::training_coordinator
