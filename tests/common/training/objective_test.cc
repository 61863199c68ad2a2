#include "common/training/objective.h"

#include "common/training/autoencoder_objective.h"
#include "common/training/clip_objective.h"
#include "common/training/diffusion_objective.h"
#include "common/training/export_model.h"
#include "common/training/parameter_set.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/fakes/random_model.h"
#include "tests/fakes/temp_folder.h"

namespace ip2p {
namespace {

std::vector<Example> Examples(int count, int side) {
  std::vector<Example> examples(count);
  for (int n = 0; n < count; ++n) {
    examples[n].text = "picture " + std::to_string(n);
    for (Image* image : {&examples[n].before, &examples[n].after}) {
      *image = {.width = side, .height = side};
      image->pixels.assign(static_cast<size_t>(side) * side * 3, static_cast<uint8_t>(60 * n + 20));
    }
  }
  return examples;
}

ModelSource FourChannels() {
  ModelConfig config = TinyConfig();
  config.unet.in_channels = 4;
  return RandomModel(config, 2);
}

// Steps of plain gradient descent on one batch.
std::pair<double, double> Descend(Objective& objective, const TrainBatch& batch, int steps, double rate) {
  ParameterSet parameters(objective.Parameters());
  double first = 0, last = 0;
  for (int i = 0; i < steps; ++i) {
    parameters.ZeroGradients();
    const torch::Tensor loss = objective.Loss(batch);
    last = loss.item<double>();
    if (i == 0) first = last;
    loss.backward();
    parameters.weights().sub_(parameters.gradients(), rate);
    objective.AfterUpdate();
  }
  return {first, last};
}

TEST(WidenInput, NewChannelsAreZero) {
  ModelSource model = FourChannels();
  const torch::Tensor before = FromTensorView(model.unet.at("conv_in.weight"));
  ASSERT_TRUE(WidenInput(model).ok());
  const torch::Tensor after = FromTensorView(model.unet.at("conv_in.weight"));
  EXPECT_EQ(model.config.unet.in_channels, 8);
  EXPECT_TRUE(torch::equal(after.narrow(1, 0, 4), before));
  EXPECT_EQ(after.narrow(1, 4, 4).abs().sum().item<float>(), 0);
}

TEST(DiffusionObjective, DropsByOneNumberASample) {
  TrainConfig config;
  const ModelSource model = RandomModel(TinyConfig(), 1);
  const auto made = DiffusionObjective::Create(model, config, {});
  ASSERT_TRUE(made.ok()) << made.status();
  const std::vector<Example> examples = Examples(1, 64);
  const std::vector<Example> untold = {
      {.before = examples[0].before, .after = examples[0].after, .text = ""}};
  std::vector<Example> unseen = examples, nothing = untold;
  DiffusionDraws draws = DrawDiffusion(std::vector<uint64_t>{4}, {4, 8, 8}, 1000, torch::kCPU);
  const auto loss = [&](const std::vector<Example>& rows, bool image, double number) {
    const torch::NoGradGuard no_grad;
    draws.dropout.fill_(number);
    TrainBatch batch = (*made)->MakeBatch(rows, {4});
    (*made)->Prepare(batch);
    if (!image) batch.condition.zero_();
    return (*made)->LossOf(batch, draws).item<double>();
  };
  EXPECT_EQ(loss(examples, true, 0.03), loss(untold, true, 0.5));     // the text alone
  EXPECT_EQ(loss(examples, true, 0.08), loss(untold, false, 0.5));    // both
  EXPECT_EQ(loss(examples, true, 0.12), loss(examples, false, 0.5));  // the image alone
  EXPECT_EQ(loss(examples, true, 0.16), loss(examples, true, 0.5));   // nothing
  EXPECT_NE(loss(examples, true, 0.5), loss(untold, true, 0.5));
  EXPECT_NE(loss(examples, true, 0.5), loss(examples, false, 0.5));
}

TEST(DiffusionObjective, ChannelsMustFit) {
  TrainConfig config;
  EXPECT_EQ(DiffusionObjective::Create(FourChannels(), config, {}).status().code(),
            absl::StatusCode::kFailedPrecondition);
  config.objective = TrainObjective::kTextToImage;
  EXPECT_TRUE(DiffusionObjective::Create(FourChannels(), config, {}).ok());
}

// bf16 gives nearly the gradients of float32, in float32.
TEST(DiffusionObjective, Bf16IsNear) {
  TrainConfig config;
  const ModelSource model = RandomModel(TinyConfig(), 1);
  std::vector<torch::Tensor> gradients;
  for (const bool bf16 : {false, true}) {
    const auto made = DiffusionObjective::Create(model, config, {.bf16 = bf16});
    ASSERT_TRUE(made.ok()) << made.status();
    ParameterSet parameters((*made)->Parameters());
    parameters.ZeroGradients();
    const torch::Tensor loss = (*made)->Loss((*made)->MakeBatch(Examples(2, 64), {1, 2}));
    EXPECT_EQ(loss.scalar_type(), torch::kFloat32);
    loss.backward();
    gradients.push_back(parameters.gradients().clone());
  }
  const double error =
      (gradients[0] - gradients[1]).norm().item<double>() / gradients[0].norm().item<double>();
  EXPECT_LT(error, 0.05);
  EXPECT_GT(error, 0);
}

TEST(AutoencoderObjective, LossFalls) {
  const auto made = AutoencoderObjective::Create(FourChannels(), {});
  ASSERT_TRUE(made.ok()) << made.status();
  const TrainBatch batch = (*made)->MakeBatch(Examples(2, 64), {1, 2});
  const auto [first, last] = Descend(**made, batch, 20, 0.01);
  EXPECT_LT(last, 0.9 * first);
}

TEST(ClipObjective, LossFallsAndTheScaleIsBounded) {
  const auto made = ClipObjective::Create(RandomClip(TinyClipConfig(), 1), {});
  ASSERT_TRUE(made.ok()) << made.status();
  const TrainBatch batch = (*made)->MakeBatch(Examples(4, 64), {1, 2, 3, 4});
  EXPECT_EQ(batch.after.size(2), 32);
  const auto [first, last] = Descend(**made, batch, 30, 0.05);
  EXPECT_LT(last, first);
  for (const auto& [name, tensor] : (*made)->Parameters()) {
    if (name != "clip.logit_scale") continue;
    const torch::NoGradGuard no_grad;
    tensor.fill_(9.0F);
    (*made)->AfterUpdate();
    EXPECT_FLOAT_EQ(tensor.item<float>(), std::log(100.0F));
  }
}

TEST(ExportModel, OpensAgainWithTheLearnedWeights) {
  const TempFolder run;
  TrainStart start;
  start.model = RandomModel(TinyConfig(), 1);
  TrainConfig config;
  const auto made = CreateObjective(config, start, {});
  ASSERT_TRUE(made.ok()) << made.status();
  ParameterSet parameters((*made)->Parameters());
  parameters.weights().add_(0.5);
  const std::string path = ExportPath(run.path(), 12);
  ASSERT_TRUE(ExportModel(start, parameters.ToTensors(parameters.weights()), path).ok());
  const auto opened = OpenModel(path);
  ASSERT_TRUE(opened.ok()) << opened.status();
  EXPECT_TRUE(torch::equal(FromTensorView(opened->unet.at("conv_in.bias")),
                           FromTensorView(start.model.unet.at("conv_in.bias")) + 0.5));
  EXPECT_TRUE(
      std::ranges::equal(opened->vae.at("quant_conv.bias").data, start.model.vae.at("quant_conv.bias").data));
}

}  // namespace
}  // namespace ip2p
