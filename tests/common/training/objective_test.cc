#include "common/training/objective.h"

#include "common/training/autoencoder_objective.h"
#include "common/training/clip_objective.h"
#include "common/training/diffusion_objective.h"
#include "common/training/export_model.h"
#include "common/training/parameter_set.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/common/training/dataset_folder.h"
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
    parameters.weights().sub_(parameters.AllGradients(), rate);
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
    gradients.push_back(parameters.AllGradients());
  }
  const double error =
      (gradients[0] - gradients[1]).norm().item<double>() / gradients[0].norm().item<double>();
  EXPECT_LT(error, 0.05);
  EXPECT_GT(error, 0);
}

// What is cached is what the frozen networks make of the examples, and these are gone then. A text encoder
// that learns is not one of them: its tokens are kept.
class CacheTest : public ::testing::TestWithParam<bool> {};

TEST_P(CacheTest, CachedExamplesNeedNoFrozenNetworks) {
  const TempFolder folder;
  TrainConfig config;
  config.resolution = 64;
  config.train_text_encoder = GetParam();
  const auto source = OpenExamples(WriteDataset(folder, 4), config.objective, Split::kTrain);
  ASSERT_TRUE(source.ok()) << source.status();
  const AugmentConfig augment{.crop = 64, .min_resize = 64, .max_resize = 64, .flip = true};
  const auto made = DiffusionObjective::Create(RandomModel(TinyConfig(), 1), config, {});
  ASSERT_TRUE(made.ok()) << made.status();
  std::vector<Example> examples;
  for (const bool mirrored : {false, true}) {
    examples.push_back(*AugmentAs(*(*source)->Get(1, 1), augment, mirrored));
    examples.back().index = examples.back().choice = 1;
  }
  ParameterSet parameters((*made)->Parameters());
  const auto step = [&] {
    parameters.ZeroGradients();
    const torch::Tensor loss = (*made)->Loss((*made)->MakeBatch(examples, {3, 4}));
    loss.backward();
    return std::pair(loss.item<double>(), parameters.AllGradients().clone());
  };
  const auto [loss, gradients] = step();
  ASSERT_TRUE((*made)->Cache(**source, augment, folder.path(), [](int64_t) { return true; }).ok());
  EXPECT_TRUE((*made)->vae().is_empty());
  EXPECT_TRUE((*made)->InCache(1, 1));
  for (Example& example : examples) example.before = example.after = {};
  const auto [cached_loss, cached_gradients] = step();
  EXPECT_NEAR(cached_loss, loss, 1e-5);
  EXPECT_LT((cached_gradients - gradients).norm().item<double>(), 1e-3 * gradients.norm().item<double>());
}

INSTANTIATE_TEST_SUITE_P(TextEncoder, CacheTest, ::testing::Bool(),
                         [](const auto& made) { return made.param ? "Learns" : "Frozen"; });

TEST(DiffusionObjective, CachingEndsWhenItIsAskedTo) {
  const TempFolder folder;
  TrainConfig config;
  config.resolution = 64;
  const auto source = OpenExamples(WriteDataset(folder, 40), config.objective, Split::kTrain);
  ASSERT_TRUE(source.ok()) << source.status();
  const auto made = DiffusionObjective::Create(RandomModel(TinyConfig(), 1), config, {});
  ASSERT_TRUE(made.ok()) << made.status();
  std::vector<int64_t> told;
  const absl::Status status =
      (*made)->Cache(**source, {.crop = 64, .min_resize = 64, .max_resize = 64, .flip = true}, folder.path(),
                     [&](int64_t done) {
                       told.push_back(done);
                       return told.size() < 2;
                     });
  EXPECT_TRUE(absl::IsCancelled(status)) << status;
  ASSERT_EQ(told.size(), 2u);
  EXPECT_LT(told[0], told[1]);
  EXPECT_FALSE((*made)->vae().is_empty()) << "nothing was let go";
}

// Both pairs of one prompt are damaged: one example of four is, as the loader counts.
TEST(DiffusionObjective, TheCacheCountsDamagedExamplesAsTheLoaderDoes) {
  const TempFolder folder;
  TrainConfig config;
  config.resolution = 64;
  const std::string data = WriteDataset(folder, 5);
  for (const char* name : {"data/0000001/11_1.jpg", "data/0000001/12_0.jpg"})
    folder.Write(name, "no picture");
  const auto source = OpenExamples(data, config.objective, Split::kTrain);
  ASSERT_TRUE(source.ok()) << source.status();
  const auto made = DiffusionObjective::Create(RandomModel(TinyConfig(), 1), config, {});
  ASSERT_TRUE(made.ok()) << made.status();
  const absl::Status status =
      (*made)->Cache(**source, {.crop = 64, .min_resize = 64, .max_resize = 64, .flip = false}, folder.path(),
                     [](int64_t) { return true; });
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr("1 of 4 examples are damaged"));
}

// The scale that gives latents a spread of 1 follows from the sample, not from where the run stands.
TEST(AutoencoderObjective, LearnsItsScale) {
  const ModelSource model = FourChannels();
  const auto made = AutoencoderObjective::Create(model, {}, {});
  ASSERT_TRUE(made.ok()) << made.status();
  const TrainBatch sample = (*made)->MakeBatch(Examples(4, 64), {});
  ModelConfig config = model.config;
  (*made)->AdjustConfig(sample, config);
  Vae vae(model.config.vae);
  for (auto& item : vae->named_parameters()) item.value().set_data(FromTensorView(model.vae.at(item.key())));
  const torch::NoGradGuard no_grad;
  const auto moments = vae->EncodeMoments(sample.after).chunk(2, 1);
  torch::manual_seed(1);
  const torch::Tensor z = moments[0] + (0.5 * moments[1]).exp() * torch::randn_like(moments[0]);
  EXPECT_NEAR(z.std().item<double>() * config.vae.scaling_factor, 1, 0.05);
}

TEST(AutoencoderObjective, LossFalls) {
  const auto made = AutoencoderObjective::Create(FourChannels(), {}, {});
  ASSERT_TRUE(made.ok()) << made.status();
  const TrainBatch batch = (*made)->MakeBatch(Examples(2, 64), {1, 2});
  const auto [first, last] = Descend(**made, batch, 20, 0.01);
  EXPECT_LT(last, 0.9 * first);
}

TrainConfig DecoderOnly(double latent_noise) {
  return {.objective = TrainObjective::kAutoencoder, .decoder_only = true, .latent_noise = latent_noise};
}

TEST(AutoencoderObjective, ADecoderLearnsAlone) {
  TrainStart start;
  start.model = FourChannels();
  const auto made = CreateObjective(DecoderOnly(0.5), start, {});
  ASSERT_TRUE(made.ok()) << made.status();
  const TrainBatch batch = (*made)->MakeBatch(Examples(2, 64), {1, 2});
  const auto [first, last] = Descend(**made, batch, 20, 0.01);
  EXPECT_LT(last, 0.9 * first);
  ModelConfig config = start.model.config;
  (*made)->AdjustConfig(batch, config);
  EXPECT_EQ(config.vae.scaling_factor, start.model.config.vae.scaling_factor);

  // Latents mean what they did: an export has the encoder as it was.
  const TempFolder run;
  const TensorMap was = start.model.vae;
  ParameterSet parameters((*made)->Parameters());
  ForgetLearned(start, parameters.names());
  ASSERT_TRUE(ExportModel(start, parameters.ToTensors(parameters.weights()), run.path() + "/model").ok());
  const auto opened = OpenModel(run.path() + "/model");
  ASSERT_TRUE(opened.ok()) << opened.status();
  ASSERT_EQ(opened->vae.size(), was.size());
  for (const auto& [name, tensor] : opened->vae) {
    const bool learns = name.starts_with("decoder.") || name.starts_with("post_quant_conv.");
    if (learns && !name.ends_with(".weight")) continue;  // a bias may have no gradient
    EXPECT_EQ(std::ranges::equal(tensor.data, was.at(name).data), !learns) << name;
  }
}

TEST(AutoencoderObjective, ADecoderLearnsFromNoisyLatents) {
  const ModelSource model = FourChannels();
  const auto loss = [&](double latent_noise, std::vector<uint64_t> seeds) {
    const auto made = AutoencoderObjective::Create(model, DecoderOnly(latent_noise), {});
    return (*made)->Loss((*made)->MakeBatch(Examples(2, 64), std::move(seeds))).item<double>();
  };
  EXPECT_EQ(loss(0, {1, 2}), loss(0, {3, 4})) << "without noise nothing is random";
  EXPECT_NE(loss(2, {1, 2}), loss(0, {1, 2}));
  EXPECT_NE(loss(2, {1, 2}), loss(2, {3, 4}));
  EXPECT_EQ(loss(2, {1, 2}), loss(2, {1, 2}));
}

TEST(ClipObjective, LossFallsAndTheScaleIsBounded) {
  const auto made = ClipObjective::Create(RandomClip(TinyClipConfig(), 1), {});
  ASSERT_TRUE(made.ok()) << made.status();
  const TrainBatch batch = (*made)->MakeBatch(Examples(4, 64), {1, 2, 3, 4});
  EXPECT_EQ(batch.after.size(2), 32);
  const auto [first, last] = Descend(**made, batch, 30, 0.05);
  EXPECT_LT(last, first);
  for (const auto& [name, tensor, shadowed] : (*made)->Parameters()) {
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
  // Another way to the same step takes its place.
  parameters.weights().add_(0.5);
  ForgetLearned(start, parameters.names());
  EXPECT_TRUE(start.model.unet.empty());
  EXPECT_FALSE(start.model.vae.empty());
  ASSERT_TRUE(ExportModel(start, parameters.ToTensors(parameters.weights()), path).ok());
  EXPECT_FALSE(std::ranges::equal(OpenModel(path)->unet.at("conv_in.bias").data,
                                  opened->unet.at("conv_in.bias").data));
}

}  // namespace
}  // namespace ip2p
