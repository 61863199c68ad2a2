// What holds for the networks whatever their weights: batch invariance, sizes, gradients. That they compute
// the right thing is tests/parity/test_model.py's to show.
#include <gmock/gmock.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "common/model/clip/text_encoder.h"
#include "common/model/layers.h"
#include "common/model/resnet_block.h"
#include "common/model/unet/unet.h"
#include "common/model/vae/vae.h"
#include "small_models.h"

namespace ip2p {
namespace {

constexpr double kBatchTolerance = 1e-5;  // float32 sums in another order; outputs are of order 1

double MaxDifference(const torch::Tensor& a, const torch::Tensor& b) {
  EXPECT_EQ(a.sizes(), b.sizes());
  return (a - b).abs().max().item<double>();
}

template <typename Net, typename Config>
Net Make(const Config& config) {
  torch::manual_seed(7);
  Net net(config);
  FillRandom(*net);
  net->eval();
  return net;
}

class UNetTest : public testing::TestWithParam<bool> {};  // packed?

TEST_P(UNetTest, ASampleDoesNotFeelItsBatch) {
  UNet unet = Make<UNet>(SmallUNet());
  const torch::NoGradGuard no_grad;
  if (GetParam()) PackAll(*unet);
  const torch::Tensor x = torch::randn({3, 8, 16, 12}), text = torch::randn({3, 77, 24});
  const torch::Tensor timesteps = torch::tensor({999.0f, 500.25f, 1.0f});
  const torch::Tensor together = unet->forward(x, timesteps, unet->PrepareText(text));
  for (int i = 0; i < 3; ++i) {
    const auto one = [&](const torch::Tensor& t) { return t.narrow(0, i, 1); };
    const torch::Tensor alone = unet->forward(one(x), one(timesteps), unet->PrepareText(one(text)));
    EXPECT_LT(MaxDifference(one(together), alone), kBatchTolerance) << "sample " << i;
  }
  EXPECT_GT(MaxDifference(together[0], together[1]), 0.01) << "the samples are different";
}

TEST_P(UNetTest, TimestepAndTextMatter) {
  UNet unet = Make<UNet>(SmallUNet());
  const torch::NoGradGuard no_grad;
  if (GetParam()) PackAll(*unet);
  const torch::Tensor x = torch::randn({1, 8, 8, 8}), text = torch::randn({1, 77, 24});
  const auto run = [&](float t, const torch::Tensor& words) {
    return unet->forward(x, torch::tensor({t}), unet->PrepareText(words));
  };
  EXPECT_GT(MaxDifference(run(10, text), run(900, text)), 0.01);
  EXPECT_GT(MaxDifference(run(10, text), run(10, torch::randn({1, 77, 24}))), 0.001);
}

TEST_P(UNetTest, InputsAreLeftAloneAndOddSizesKept) {
  UNet unet = Make<UNet>(SmallUNet());
  const torch::NoGradGuard no_grad;
  if (GetParam()) PackAll(*unet);
  const torch::Tensor x = torch::randn({2, 8, 13, 7}), text = torch::randn({2, 77, 24});
  const torch::Tensor before = x.clone();
  const TextContext context = unet->PrepareText(text);
  const torch::Tensor first = unet->forward(x, torch::tensor({5.0f, 5.0f}), context);
  EXPECT_EQ(first.sizes(), torch::IntArrayRef({2, 4, 13, 7}));
  EXPECT_TRUE(x.equal(before));
  EXPECT_TRUE(first.equal(unet->forward(x, torch::tensor({5.0f, 5.0f}), context))) << "same again";
}

TEST_P(UNetTest, BorrowersUseTheOwnersMaps) {
  const torch::NoGradGuard no_grad;
  UNet unet = Make<UNet>(SmallUNet());
  if (GetParam()) PackAll(*unet);
  const torch::Tensor x = torch::randn({5, 8, 8, 8}), t = torch::full({5}, 321.0);
  const TextContext text = unet->PrepareText(torch::randn({5, 6, 24}));
  const torch::Tensor shared = unet->forward(x, t, text, {.borrowers = 2});
  const torch::Tensor computed = unet->forward(x, t, text, {.borrowers = 2, .reuse = false});
  const torch::Tensor apart = unet->forward(x, t, text);
  EXPECT_LT(MaxDifference(shared, computed), kBatchTolerance);
  EXPECT_LT(MaxDifference(shared.narrow(0, 0, 3), apart.narrow(0, 0, 3)), kBatchTolerance);
  EXPECT_GT(MaxDifference(shared.narrow(0, 3, 2), apart.narrow(0, 3, 2)), 1e-3);
  EXPECT_THROW(unet->forward(x, t, text, {.borrowers = 3}), c10::Error);
}

INSTANTIATE_TEST_SUITE_P(Packed, UNetTest, testing::Bool());

TEST(UNetGradientTest, EveryParameterLearns) {
  UNet unet = Make<UNet>(SmallUNet());
  const torch::Tensor x = torch::randn({2, 8, 8, 8}), text = torch::randn({2, 77, 24});
  unet->forward(x, torch::tensor({3.0f, 700.0f}), unet->PrepareText(text)).square().mean().backward();
  for (const auto& item : unet->named_parameters()) {
    ASSERT_TRUE(item.value().grad().defined()) << item.key();
    EXPECT_GT(item.value().grad().abs().max().item<double>(), 0) << item.key();
  }
}

TEST(UNetGradientTest, MatchesAFiniteDifference) {
  UNet unet = Make<UNet>(SmallUNet());
  unet->to(torch::kFloat64);
  const auto options = torch::TensorOptions(torch::kFloat64);
  const torch::Tensor x = torch::randn({1, 8, 8, 8}, options), text = torch::randn({1, 77, 24}, options);
  const auto loss = [&] {
    return unet->forward(x, torch::tensor({40.0}, options), unet->PrepareText(text)).square().mean();
  };
  loss().backward();
  torch::Tensor weight = unet->named_parameters()["mid_block.resnets.0.conv1.weight"];
  const torch::Tensor direction = weight.grad() / weight.grad().norm();
  const torch::NoGradGuard no_grad;
  constexpr double kStep = 1e-5;
  weight.add_(direction, kStep);
  const double above = loss().item<double>();
  weight.sub_(direction, 2 * kStep);
  const double below = loss().item<double>();
  const double slope = weight.grad().norm().item<double>();
  EXPECT_NEAR((above - below) / (2 * kStep), slope, 1e-4 * slope);
}

TEST(VaeTest, BatchInvarianceSizesAndGradients) {
  Vae vae = Make<Vae>(SmallVae());
  const torch::Tensor images = torch::rand({3, 3, 32, 24}) * 2 - 1;
  const torch::Tensor moments = vae->EncodeMoments(images);
  EXPECT_EQ(moments.sizes(), torch::IntArrayRef({3, 8, 8, 6}));
  EXPECT_TRUE(vae->EncodeMode(images).equal(moments.narrow(1, 0, 4)));
  const torch::Tensor decoded = vae->Decode(moments.narrow(1, 0, 4));
  EXPECT_EQ(decoded.sizes(), images.sizes());
  decoded.square().mean().backward();
  for (const auto& item : vae->named_parameters()) {
    const torch::Tensor grad = item.value().grad();
    ASSERT_TRUE(grad.defined()) << item.key();
  }
  const torch::NoGradGuard no_grad;
  PackAll(*vae);
  const torch::Tensor packed = vae->EncodeMoments(images);
  EXPECT_LT(MaxDifference(packed, moments), 1e-4);  // another summation order, through 20 layers
  EXPECT_LT(MaxDifference(vae->EncodeMoments(images.narrow(0, 1, 1)), packed.narrow(0, 1, 1)),
            kBatchTolerance);
  const torch::Tensor latents = packed.narrow(1, 0, 4);
  EXPECT_LT(MaxDifference(vae->Decode(latents.narrow(0, 2, 1)), vae->Decode(latents).narrow(0, 2, 1)),
            kBatchTolerance);
}

TEST(UpsamplerTest, PackedEqualsNearestThenConvolution) {
  Upsampler upsampler(16, /*doubles=*/true);
  FillRandom(*upsampler);
  const torch::NoGradGuard no_grad;
  const torch::Tensor x = torch::randn({2, 16, 5, 3});
  const torch::Tensor plain = upsampler->forward(x, 10, 6);
  EXPECT_TRUE(upsampler->Pack());
  const torch::Tensor fused = upsampler->forward(x, 10, 6);
  EXPECT_LT(MaxDifference(fused, plain), kBatchTolerance);
  EXPECT_TRUE(fused.is_contiguous(torch::MemoryFormat::ChannelsLast));
  EXPECT_EQ(upsampler->parameters()[0].numel(), 0) << "the 3x3 weight is released";
}

TEST(UpsamplerTest, AnyOtherSizeIsNotFolded) {
  Upsampler upsampler(16, /*doubles=*/false);
  FillRandom(*upsampler);
  const torch::NoGradGuard no_grad;
  EXPECT_TRUE(upsampler->Pack());
  EXPECT_EQ(upsampler->forward(torch::randn({1, 16, 5, 3}), 9, 5).sizes(), torch::IntArrayRef({1, 16, 9, 5}));
}

TEST(ClipTextEncoderTest, LaterTokensDoNotChangeEarlierStates) {
  ClipTextEncoder encoder = Make<ClipTextEncoder>(SmallText());
  const torch::NoGradGuard no_grad;
  torch::Tensor ids = torch::randint(0, 598, {2, 77}, torch::kInt64);
  const torch::Tensor before = encoder->forward(ids);
  EXPECT_EQ(before.sizes(), torch::IntArrayRef({2, 77, 24}));
  ids.narrow(1, 40, 37).fill_(3);
  const torch::Tensor after = encoder->forward(ids);
  EXPECT_LT(MaxDifference(before.narrow(1, 0, 40), after.narrow(1, 0, 40)), kBatchTolerance);
  EXPECT_GT(MaxDifference(before.narrow(1, 40, 37), after.narrow(1, 40, 37)), 0.01);
}

TEST(ClipTextEncoderTest, ShorterTextsAreAllowed) {
  ClipTextEncoder encoder = Make<ClipTextEncoder>(SmallText());
  const torch::NoGradGuard no_grad;
  EXPECT_EQ(encoder->forward(torch::zeros({1, 5}, torch::kInt64)).sizes(), torch::IntArrayRef({1, 5, 24}));
}

}  // namespace
}  // namespace ip2p
