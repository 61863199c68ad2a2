// `ip2p train` against a coordinator inside of the test: what is asked, what is shown, exit codes.
#include <gmock/gmock.h>

#include "common/base/json.h"
#include "tests/services/cli/train_fixture.h"

namespace ip2p {
namespace {

namespace v1 = training::v1;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;
using testing::TrainTest;

TEST_F(TrainTest, StartSendsWhatFlagsSay) {
  service_.job = JobAt(v1::JOB_STATE_QUEUED, 0);
  service_.job.set_queue_position(3);
  ASSERT_EQ(Train({"start",
                   "--name",
                   "first",
                   "--objective",
                   "text-to-image",
                   "--base-checkpoint",
                   "models/sd15",
                   "--dataset",
                   "datasets/pairs",
                   "--max-steps",
                   "1000",
                   "--batch-size",
                   "64",
                   "--learning-rate",
                   "3e-5",
                   "--optimizer",
                   "adamw-8bit",
                   "--min-resize",
                   "256",
                   "--max-resize",
                   "286",
                   "--lr-schedule",
                   "cosine",
                   "--precision",
                   "bf16",
                   "--no-random-flip",
                   "--gradient-checkpointing",
                   "--seed",
                   "18446744073709551615",
                   "--world-size",
                   "2",
                   "--gpu",
                   "--max-restarts",
                   "0",
                   "--request-id",
                   "order-1"}),
            kExitOk)
      << err_.str();
  EXPECT_EQ(out_.str(), "first-ab12\n");
  EXPECT_EQ(err_.str(), "first is queued, place 3\n");
  EXPECT_EQ(service_.submitted.request_id(), "order-1");
  const v1::JobSpec& spec = service_.submitted.spec();
  EXPECT_EQ(spec.name(), "first");
  EXPECT_EQ(spec.objective(), v1::OBJECTIVE_TEXT_TO_IMAGE);
  EXPECT_EQ(spec.base_checkpoint(), "models/sd15");
  EXPECT_EQ(spec.dataset(), "datasets/pairs");
  EXPECT_TRUE(spec.has_max_restarts());
  EXPECT_EQ(spec.max_restarts(), 0);
  EXPECT_EQ(spec.params().max_steps(), 1000);
  EXPECT_EQ(spec.params().batch_size(), 64);
  EXPECT_EQ(spec.params().learning_rate(), 3e-5);
  EXPECT_EQ(spec.params().optimizer(), v1::OPTIMIZER_ADAMW_8BIT);
  EXPECT_EQ(spec.params().min_resize(), 256);
  EXPECT_EQ(spec.params().max_resize(), 286);
  EXPECT_EQ(spec.params().lr_schedule(), v1::LR_SCHEDULE_COSINE);
  EXPECT_EQ(spec.params().precision(), model::v1::PRECISION_BF16);
  EXPECT_TRUE(spec.params().has_random_flip());
  EXPECT_FALSE(spec.params().random_flip());
  EXPECT_TRUE(spec.params().gradient_checkpointing());
  EXPECT_EQ(spec.params().seed(), UINT64_MAX);
  EXPECT_EQ(spec.resources().world_size(), 2);
  EXPECT_TRUE(spec.resources().gpu());
  EXPECT_FALSE(spec.params().has_ema_decay()) << "the coordinator's default";
}

TEST_F(TrainTest, FlagsWinOverTheSpecsFile) {
  const std::string file = Put("job.json", R"({"name": "of-file", "objective": "OBJECTIVE_CLIP",
      "freshConfig": "configs/clip", "dataset": "d", "params": {"maxSteps": 5, "seed": 9, "cacheLatents": true}})");
  ASSERT_EQ(Train({"start", "--spec", file, "--max-steps", "7", "--no-cache-latents"}), kExitOk)
      << err_.str();
  const v1::JobSpec& spec = service_.submitted.spec();
  EXPECT_EQ(spec.name(), "of-file");
  EXPECT_EQ(spec.fresh_config(), "configs/clip");
  EXPECT_EQ(spec.params().max_steps(), 7);
  EXPECT_EQ(spec.params().seed(), 9u);
  EXPECT_FALSE(spec.params().cache_latents());
  ASSERT_EQ(Train({"start", "--spec", file, "--base-checkpoint", "models/x"}), kExitOk);
  EXPECT_EQ(service_.submitted.spec().start_case(), v1::JobSpec::kBaseCheckpoint);
  stdin_ = R"({"name": "piped"})";
  ASSERT_EQ(Train({"start", "--spec", "-"}), kExitOk) << err_.str();
  EXPECT_EQ(service_.submitted.spec().name(), "piped");
}

TEST_F(TrainTest, AFlagMayComeFromAVariableOrTheSettingsFile) {
  const testing::Variable variable("IP2P_BATCH_SIZE", "48");
  const std::string file = Put(
      "settings.json", R"({"train": {"start": {"batch-size": 2, "ema-decay": 0.5, "random-flip": false}}})");
  ASSERT_EQ(Run({"--config", file, "train", "start", "--server", address_}), kExitOk) << err_.str();
  const v1::TrainParams& params = service_.submitted.spec().params();
  EXPECT_EQ(params.batch_size(), 48);
  EXPECT_EQ(params.ema_decay(), 0.5);
  EXPECT_TRUE(params.has_random_flip());
  EXPECT_FALSE(params.random_flip());
}

TEST_F(TrainTest, BadSpecsAreRefusedBeforeTheCall) {
  EXPECT_EQ(Train({"start", "--spec", Put("a.json", R"({"nome": "x"})")}), kExitBadInput);
  EXPECT_THAT(err_.str(), HasSubstr("a.json is no JobSpec in JSON: "));
  EXPECT_THAT(err_.str(), HasSubstr("nome"));
  EXPECT_EQ(Train({"start", "--spec", Put("b.json", "{")}), kExitBadInput);
  EXPECT_EQ(Train({"start", "--spec", Path("none.json")}), kExitBadInput);
  EXPECT_EQ(Train({"start", "--objective", "magic"}), kExitUsage);
  EXPECT_THAT(err_.str(), HasSubstr("text-to-image"));
  EXPECT_EQ(Train({"start", "--max-steps", "many"}), kExitUsage);
  EXPECT_EQ(Train({"start", "--base-checkpoint", "a", "--fresh-config", "b"}), kExitUsage);
  EXPECT_EQ(Run({"train", "start"}), kExitUsage);
  EXPECT_FALSE(service_.submitted.has_spec());
}

TEST_F(TrainTest, ARequestIdIsDrawnAndTold) {
  ASSERT_EQ(Train({"start"}), kExitOk);
  const std::string first = service_.submitted.request_id();
  EXPECT_THAT(first, MatchesRegex("[0-9a-f]{32}"));
  EXPECT_THAT(err_.str(),
              HasSubstr("request id " + first + "; with --request-id it is the same job again\n"));
  ASSERT_EQ(Train({"start"}), kExitOk);
  EXPECT_NE(service_.submitted.request_id(), first);
}

TEST_F(TrainTest, FaultsOfTheSpecAreListed) {
  service_.status = {grpc::StatusCode::INVALID_ARGUMENT,
                     "spec.name is \"\"; wants x\nspec.dataset is \"\"; wants y"};
  EXPECT_EQ(Train({"start"}), kExitBadInput);
  EXPECT_THAT(err_.str(), HasSubstr("spec.name is \"\"; wants x\nspec.dataset is"));
  EXPECT_EQ(out_.str(), "");
}

TEST_F(TrainTest, StatusAndList) {
  v1::ValidationMetrics& validation = *service_.job.mutable_metrics()->mutable_validation();
  validation.set_step(400);
  validation.set_loss(0.21);
  validation.set_clip_direction(0.15);
  ASSERT_EQ(Train({"status", "first-ab12"}), kExitOk) << err_.str();
  EXPECT_EQ(service_.asked, "first-ab12");
  EXPECT_THAT(out_.str(), HasSubstr("state        running\n"));
  EXPECT_THAT(out_.str(), HasSubstr("progress     step 500 of 1000, loss 0.2, 16 samples/s, 12:30 left\n"));
  EXPECT_THAT(out_.str(), HasSubstr("validation   step 400: loss 0.21, CLIP direction 0.1500\n"));
  EXPECT_THAT(out_.str(), HasSubstr("workers      2 on CPUs, 4 threads each\n"));
  EXPECT_THAT(out_.str(), HasSubstr("created      2023-11-14 22:13:20\n"));
  EXPECT_THAT(out_.str(), Not(HasSubstr("error")));
  ASSERT_EQ(Train({"status", "first-ab12", "--json"}), kExitOk);
  EXPECT_EQ(nlohmann::json::parse(out_.str())["job"]["state"], "JOB_STATE_RUNNING");

  service_.job.set_state(v1::JOB_STATE_FAILED);
  service_.job.set_error("rank 0 left: the dataset is missing");
  ASSERT_EQ(
      Train({"list", "--state", "failed", "--state", "queued", "--page-size", "5", "--page-token", "9"}),
      kExitOk)
      << err_.str();
  EXPECT_EQ(service_.listed.states_size(), 2);
  EXPECT_EQ(service_.listed.states(0), v1::JOB_STATE_FAILED);
  EXPECT_EQ(service_.listed.page_size(), 5);
  EXPECT_EQ(service_.listed.page_token(), "9");
  EXPECT_THAT(out_.str(), HasSubstr("500/1000       0.2\n  rank 0 left: the dataset is missing\n"));
  EXPECT_THAT(err_.str(), HasSubstr("more: --page-token 7"));
  ASSERT_EQ(Train({"list", "--json"}), kExitOk);
  EXPECT_EQ(nlohmann::json::parse(out_.str())["jobs"][0]["id"], "first-ab12");
  EXPECT_EQ(Train({"list", "--state", "done"}), kExitUsage);
  EXPECT_EQ(Train({"status"}), kExitUsage);
}

TEST_F(TrainTest, Moves) {
  service_.job = JobAt(v1::JOB_STATE_PAUSED, 500);
  ASSERT_EQ(Train({"pause", "first-ab12"}), kExitOk) << err_.str();
  EXPECT_EQ(out_.str(), "first-ab12 is paused: step 500 of 1000, loss 0.2\n");
  ASSERT_EQ(Train({"resume", "first-ab12", "--from-step", "0"}), kExitOk);
  EXPECT_TRUE(service_.resumed.has_from_step());
  EXPECT_EQ(service_.resumed.from_step(), 0);
  ASSERT_EQ(Train({"resume", "first-ab12"}), kExitOk);
  EXPECT_FALSE(service_.resumed.has_from_step());
  ASSERT_EQ(Train({"cancel", "first-ab12", "--save-checkpoint", "--json"}), kExitOk);
  EXPECT_TRUE(service_.cancelled.save_checkpoint());
  EXPECT_EQ(nlohmann::json::parse(out_.str())["job"]["id"], "first-ab12");
  ASSERT_EQ(Train({"delete", "first-ab12"}), kExitOk);
  EXPECT_EQ(out_.str(), "first-ab12 is deleted\n");
  service_.status = {grpc::StatusCode::FAILED_PRECONDITION, "the job is queued; wants a running one"};
  EXPECT_EQ(Train({"pause", "first-ab12"}), kExitBadInput);
  EXPECT_THAT(err_.str(), HasSubstr("the job is queued"));
}

TEST_F(TrainTest, Checkpoints) {
  service_.checkpoint.mutable_validation()->set_step(400);
  service_.checkpoint.mutable_validation()->set_clip_image(0.9);
  ASSERT_EQ(Train({"checkpoints", "first-ab12"}), kExitOk) << err_.str();
  EXPECT_THAT(out_.str(), HasSubstr("       3.0      0.25  sd15-edit\n"));
  EXPECT_THAT(out_.str(), HasSubstr("validation at step 400: loss 0, CLIP image 0.9000\n"));
  ASSERT_EQ(Train({"save", "first-ab12", "--json"}), kExitOk);
  EXPECT_EQ(nlohmann::json::parse(out_.str())["checkpoint"]["step"], "400");
  ASSERT_EQ(Train({"promote", "first-ab12", "--step", "400", "--model", "winter"}), kExitOk);
  EXPECT_EQ(service_.promoted.step(), 400);
  EXPECT_EQ(service_.promoted.model(), "winter");
  EXPECT_EQ(out_.str(), "sd15-edit serves step 400 of first-ab12\n");
  ASSERT_EQ(Train({"promote", "first-ab12"}), kExitOk);
  EXPECT_FALSE(service_.promoted.has_step());
  service_.status = {grpc::StatusCode::DATA_LOSS, "weights fail their checksum"};
  EXPECT_EQ(Train({"promote", "first-ab12"}), kExitBadInput);
}

TEST_F(TrainTest, NoCoordinatorIsUnavailable) {
  server_->Shutdown();
  EXPECT_EQ(Train({"status", "x"}), kExitUnavailable);
  EXPECT_EQ(Train({"watch", "x"}), kExitUnavailable);
  EXPECT_EQ(Train({"logs", "x", "--follow"}), kExitUnavailable);
}

}  // namespace
}  // namespace ip2p
