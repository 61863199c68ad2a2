// Edits that go well: what comes back, what is told on the way.
#include <future>
#include <set>

#include "common/image/decode.h"
#include "common/image/encode.h"
#include "common/image/fit.h"
#include "gmock/gmock.h"
#include "tests/services/edit_server/server_fixture.h"

namespace ip2p::edit_server {
namespace {

using ::testing::HasSubstr;

class EditTest : public ServerTest {};

Image Decoded(const edit::v1::EditOutput& output) {
  auto decoded = DecodeImage(output.image().data());
  EXPECT_TRUE(decoded.ok()) << decoded.status();
  return decoded.ok() ? decoded->image : Image();
}

Image Inverted(Image image) {
  for (uint8_t& value : image.pixels) value = static_cast<uint8_t>(255 - value);
  return image;
}

TEST_F(EditTest, AnswersWithThePictureAndHowItWasMade) {
  Start();
  EditResponse response;
  ASSERT_TRUE(Edit(GoodRequest(), &response).ok());
  const edit::v1::EditResult& result = response.result();
  ASSERT_EQ(result.outputs_size(), 1);
  EXPECT_EQ(Decoded(result.outputs(0)), Inverted(*FitReference(testing::Gradient(96, 64), 64)));
  EXPECT_EQ(result.outputs(0).image().format(), image::v1::IMAGE_FORMAT_PNG);
  EXPECT_EQ(result.outputs(0).image().width(), 64);
  EXPECT_EQ(result.outputs(0).image().height(), 64);
  EXPECT_EQ(result.outputs(0).seed(), 7);
  EXPECT_EQ(result.model(), "first");
  EXPECT_EQ(result.params().steps(), 4);
  EXPECT_EQ(result.params().cfg_text(), 7.5);
  EXPECT_EQ(result.params().cfg_image(), 1.5);
  EXPECT_EQ(result.params().sampler(), edit::v1::SAMPLER_EULER_A);
  EXPECT_EQ(result.params().schedule(), edit::v1::SIGMA_SCHEDULE_DEFAULT);
  EXPECT_FALSE(result.instruction_truncated());
  EXPECT_FALSE(result.request_id().empty());
  EXPECT_FALSE(result.replayed());

  const auto text = ReadParameters(result.outputs(0).image().data());
  ASSERT_TRUE(text.ok());
  EXPECT_EQ(*text,
            "make it blue\nSteps: 4, Sampler: euler_a, Schedule type: default, CFG scale: 7.5, Image CFG "
            "scale: 1.5, "
            "Seed: 7, Size: 64x64, Model: first, Version: ip2p 0.1.0");
}

TEST_F(EditTest, StreamsAcceptedThenEveryStepThenTheResult) {
  run_by_itself_ = false;
  Start();
  EditStream stream(*stub_, GoodRequest(), 2);
  const StreamEditResponse accepted = stream.Next();
  ASSERT_TRUE(accepted.has_accepted());
  EXPECT_EQ(accepted.accepted().position(), 0);
  EXPECT_EQ(accepted.accepted().params().seed(), 7);
  EXPECT_FALSE(accepted.accepted().has_estimate());
  ASSERT_TRUE(engine().AwaitWaiting(1));
  for (int step = 1; step <= 4; ++step) {
    engine().Step();
    if (step == 4) break;  // the last step's progress may give way to the result
    const StreamEditResponse event = stream.Next();
    ASSERT_TRUE(event.has_progress()) << step;
    EXPECT_EQ(event.progress().step(), step);
    EXPECT_EQ(event.progress().steps(), 4);
    EXPECT_EQ(event.progress().has_preview(), step == 2);
    if (step == 2) {
      EXPECT_EQ(DecodeImage(event.progress().preview().data())->image, (Image{1, 1, {255, 0, 0}}));
    }
  }
  ASSERT_TRUE(stream.Finish().ok());
  EXPECT_EQ(stream.result().outputs_size(), 1);
}

TEST_F(EditTest, WhatIsUnsetGetsTheReferencesDefaults) {
  Start();
  EditRequest request;
  request.mutable_image()->set_data(Photo());
  request.mutable_params()->set_instruction("x");
  EditResponse response;
  ASSERT_TRUE(Edit(request, &response).ok());
  const edit::v1::EditParams& params = response.result().params();
  EXPECT_EQ(params.steps(), 100);
  EXPECT_EQ(params.resolution(), 512);
  EXPECT_EQ(params.count(), 1);
  EXPECT_GE(params.seed(), 0);
  EXPECT_EQ(response.result().outputs(0).seed(), params.seed());
}

TEST_F(EditTest, SeedsAreDrawnWhenUnset) {
  Start();
  EditRequest request = GoodRequest();
  request.mutable_params()->clear_seed();
  std::set<int64_t> seeds;
  for (int i = 0; i < 5; ++i) {
    EditResponse response;
    ASSERT_TRUE(Edit(request, &response).ok());
    seeds.insert(response.result().params().seed());
  }
  EXPECT_GT(seeds.size(), 1u);
}

TEST_F(EditTest, SeveralOutputsHaveSeedsInARow) {
  Start();
  EditRequest request = GoodRequest();
  request.mutable_params()->set_count(3);
  request.mutable_params()->set_seed(4294967295);
  EditResponse response;
  ASSERT_TRUE(Edit(request, &response).ok());
  ASSERT_EQ(response.result().outputs_size(), 3);
  EXPECT_EQ(response.result().outputs(0).seed(), 4294967295);
  EXPECT_EQ(response.result().outputs(1).seed(), 0);
  EXPECT_EQ(response.result().outputs(2).seed(), 1);
}

TEST_F(EditTest, WritesTheFormatsThatAreAskedFor) {
  Start();
  EditRequest request = GoodRequest();
  for (const auto& [wire, format] : {std::pair(image::v1::IMAGE_FORMAT_JPEG, ImageFormat::kJpeg),
                                     std::pair(image::v1::IMAGE_FORMAT_WEBP, ImageFormat::kWebp)}) {
    request.mutable_output()->set_format(wire);
    request.mutable_output()->set_omit_parameters(wire == image::v1::IMAGE_FORMAT_JPEG);
    EditResponse response;
    ASSERT_TRUE(Edit(request, &response).ok());
    const std::string& file = response.result().outputs(0).image().data();
    EXPECT_EQ(*SniffImageFormat(file), format);
    EXPECT_EQ(response.result().outputs(0).image().format(), wire);
    EXPECT_EQ(ReadParameters(file).ok(), wire != image::v1::IMAGE_FORMAT_JPEG);
  }
}

TEST_F(EditTest, ResolutionZeroKeepsThePhotosSize) {
  Start();
  EditRequest request = GoodRequest();
  request.mutable_params()->set_resolution(0);
  EditResponse response;
  ASSERT_TRUE(Edit(request, &response).ok());
  EXPECT_EQ(response.result().outputs(0).image().width(), 96);
  EXPECT_EQ(response.result().outputs(0).image().height(), 64);
}

TEST_F(EditTest, AnEmptyInstructionGivesTheFittedPhotoWithoutTheModel) {
  run_by_itself_ = false;  // nobody steps
  Start();
  EditRequest request = GoodRequest();
  request.mutable_params()->set_instruction("");
  EditResponse response;
  ASSERT_TRUE(Edit(request, &response).ok());
  EXPECT_EQ(Decoded(response.result().outputs(0)), *FitReference(testing::Gradient(96, 64), 64));
  EXPECT_EQ(engine().submitted(), 0);
  EXPECT_TRUE(AwaitIdle());
  EXPECT_EQ(Metric("ip2p_edit_queue_depth"), 0);
  EXPECT_EQ(Metric("ip2p_edit_in_flight"), 0);
}

TEST_F(EditTest, ALongInstructionIsCutAndTheAnswerSaysSo) {
  Start();
  EditRequest request = GoodRequest();
  request.mutable_params()->set_instruction(std::string(2000, 'a'));  // the fake cuts over 1000 bytes
  EditResponse response;
  ASSERT_TRUE(Edit(request, &response).ok());
  EXPECT_TRUE(response.result().instruction_truncated());
}

TEST_F(EditTest, TextOfAllScriptsIsAccepted) {
  Start();
  EditRequest request = GoodRequest();
  for (const char* text : {"\xF0\x9F\x98\x80 make it smile", "\xD7\xA9\xD7\x9C\xD7\x95\xD7\x9D",
                           "e\xCC\x81\xCC\x81", "\xE2\x80\xAE reversed"}) {
    request.mutable_params()->set_instruction(text);
    EXPECT_TRUE(Edit(request).ok()) << text;
  }
}

TEST_F(EditTest, TheRequestIdTravelsInMetadataToo) {
  Start();
  grpc::ClientContext context;
  context.AddMetadata("x-request-id", "from-the-gateway");
  EditResponse response;
  ASSERT_TRUE(stub_->Edit(&context, GoodRequest(), &response).ok());
  EXPECT_EQ(response.result().request_id(), "from-the-gateway");
  EXPECT_EQ(context.GetServerInitialMetadata().find("x-request-id")->second, "from-the-gateway");
}

TEST_F(EditTest, TheSecondModelIsReachedByItsName) {
  ServerConfig config = DefaultConfig();
  config.models.push_back({"second", "unused", ""});
  Start(config);
  EditRequest request = GoodRequest();
  request.set_model("second");
  EditResponse response;
  ASSERT_TRUE(Edit(request, &response).ok());
  EXPECT_EQ(response.result().model(), "second");
  EXPECT_EQ(engines_[0]->submitted(), 0);
  EXPECT_EQ(engines_[1]->submitted(), 1);

  grpc::ClientContext context;
  edit::v1::ListModelsResponse models;
  ASSERT_TRUE(stub_->ListModels(&context, {}, &models).ok());
  ASSERT_EQ(models.models_size(), 2);
  EXPECT_EQ(models.models(0).name(), "first");
  EXPECT_EQ(models.models(1).name(), "second");
  EXPECT_EQ(models.models(0).native_resolution(), 512);
  EXPECT_EQ(models.models(0).precision(), model::v1::PRECISION_FP32);
}

TEST_F(EditTest, CapabilitiesTellTheLimits) {
  ServerConfig config = DefaultConfig();
  config.queue_limit = 5;
  config.client_limit = 3;
  Start(config);
  engine().SetEstimate(absl::Seconds(9));
  grpc::ClientContext context;
  edit::v1::GetCapabilitiesResponse facts;
  ASSERT_TRUE(stub_->GetCapabilities(&context, {}, &facts).ok());
  EXPECT_EQ(facts.samplers_size(), 10);
  EXPECT_EQ(facts.samplers(0), edit::v1::SAMPLER_EULER_A);
  EXPECT_EQ(facts.output_formats(0), image::v1::IMAGE_FORMAT_PNG);
  EXPECT_EQ(facts.defaults().steps(), 100);
  EXPECT_FALSE(facts.defaults().has_seed());
  EXPECT_EQ(facts.limits().queue_limit(), 5);
  EXPECT_EQ(facts.limits().client_limit(), 3);
  EXPECT_EQ(facts.limits().max_image_bytes(), 20'000'000);
  EXPECT_EQ(facts.estimate().seconds(), 9);
}

// --- the same request id again ---

TEST_F(EditTest, TheSameRequestIdGivesTheRememberedAnswer) {
  Start();
  EditRequest request = GoodRequest();
  request.mutable_params()->clear_seed();
  request.set_request_id("order-1");
  EditResponse first, second;
  ASSERT_TRUE(Edit(request, &first).ok());
  ASSERT_TRUE(Edit(request, &second).ok());
  EXPECT_EQ(engine().submitted(), 1);
  EXPECT_FALSE(first.result().replayed());
  EXPECT_TRUE(second.result().replayed());
  EXPECT_EQ(first.result().outputs(0).image().data(), second.result().outputs(0).image().data());
  EXPECT_EQ(first.result().params().seed(), second.result().params().seed());

  EditStream stream(*stub_, request);  // the other call knows it as well
  ASSERT_TRUE(stream.Finish().ok());
  EXPECT_TRUE(stream.result().replayed());
}

TEST_F(EditTest, TheSameRequestIdForAnotherRequestIsRefused) {
  Start();
  EditRequest request = GoodRequest();
  request.set_request_id("order-1");
  ASSERT_TRUE(Edit(request).ok());
  request.mutable_params()->set_seed(8);
  const absl::Status status = Edit(request);
  EXPECT_EQ(status.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("request_id \"order-1\" was used for a different request"));
}

TEST_F(EditTest, TheSameRequestIdJoinsARunningEdit) {
  run_by_itself_ = false;
  Start();
  EditRequest request = GoodRequest();
  request.set_request_id("order-1");
  EditStream first(*stub_, request);
  ASSERT_TRUE(first.AwaitAccepted());
  EditStream second(*stub_, request);
  ASSERT_TRUE(second.AwaitAccepted());
  ASSERT_TRUE(engine().AwaitWaiting(1));
  engine().Step();
  first.Cancel();  // the other one still waits, so the edit goes on
  EXPECT_EQ(first.Finish().code(), absl::StatusCode::kCancelled);
  engine().StepUntilIdle();
  ASSERT_TRUE(second.Finish().ok());
  EXPECT_EQ(second.result().outputs_size(), 1);
  EXPECT_FALSE(second.result().replayed());
  EXPECT_EQ(engine().submitted(), 1);
  request.mutable_params()->set_seed(9);
  EXPECT_EQ(Edit(request).code(), absl::StatusCode::kAlreadyExists);
}

TEST_F(EditTest, AFailedEditIsNotRemembered) {
  Start();
  EditRequest request = GoodRequest();
  request.set_request_id("order-1");
  engine().FailWith(absl::InternalError("the model gave NaN"));
  EXPECT_EQ(Edit(request).code(), absl::StatusCode::kInternal);
  engine().FailWith(absl::OkStatus());
  EXPECT_TRUE(Edit(request).ok());
  EXPECT_EQ(engine().submitted(), 2);
}

TEST_F(EditTest, NaNIsAnErrorAndCounted) {
  Start();
  engine().FailWith(absl::InternalError("the model gave NaN"));
  const absl::Status status = Edit(GoodRequest());
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_EQ(status.message(), "the model gave NaN");
  EXPECT_EQ(Metric("ip2p_edit_model_failures_total"), 1);
  engine().FailWith(absl::OkStatus());
  EXPECT_TRUE(Edit(GoodRequest()).ok());
}

}  // namespace
}  // namespace ip2p::edit_server
