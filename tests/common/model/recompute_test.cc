#include "common/model/recompute.h"

#include "common/model/clip/clip.h"
#include "common/model/unet/unet.h"
#include "common/model/vae/vae.h"
#include "gtest/gtest.h"
#include "tests/common/model/small_models.h"

namespace ip2p {
namespace {

struct Pass {
  torch::Tensor output;
  torch::Tensor input_gradient;
  std::vector<torch::Tensor> gradients;
};

Pass RunOnce(UNet& unet, bool recompute) {
  unet->set_recompute(recompute);
  unet->zero_grad();
  torch::manual_seed(3);
  const torch::Tensor x = torch::randn({2, 8, 16, 16}).set_requires_grad(true);
  const torch::Tensor text = torch::randn({2, 7, 24});
  Pass pass;
  pass.output = unet->forward(x, torch::tensor({500.0F, 3.0F}), unet->PrepareText(text));
  pass.output.square().mean().backward();
  pass.input_gradient = x.grad();
  for (const torch::Tensor& parameter : unet->parameters())
    pass.gradients.push_back(parameter.grad().clone());
  return pass;
}

// The first pass may take the inference kernels, so equality is to rounding.
TEST(Recompute, UNetGradientsAreTheSame) {
  UNet unet(SmallUNet());
  FillRandom(*unet);
  const Pass plain = RunOnce(unet, false), recomputed = RunOnce(unet, true);
  constexpr double kTolerance = 1e-5;  // measured 1e-6
  EXPECT_TRUE(torch::allclose(plain.output, recomputed.output, kTolerance, kTolerance));
  EXPECT_TRUE(torch::allclose(plain.input_gradient, recomputed.input_gradient, 1e-4, 1e-8));
  ASSERT_EQ(plain.gradients.size(), recomputed.gradients.size());
  for (size_t i = 0; i < plain.gradients.size(); ++i) {
    const double scale = plain.gradients[i].abs().max().item<double>();
    EXPECT_LE((plain.gradients[i] - recomputed.gradients[i]).abs().max().item<double>(),
              kTolerance * scale + 1e-7)
        << unet->named_parameters()[i].key();
  }
}

// Gradients of the plain pass and of the recomputed one.
template <typename Network, typename Loss>
void ExpectSameGradients(Network& network, const Loss& loss) {
  std::vector<std::vector<torch::Tensor>> gradients;
  for (const bool recompute : {false, true}) {
    network->set_recompute(recompute);
    network->zero_grad();
    loss().backward();
    std::vector<torch::Tensor>& pass = gradients.emplace_back();
    for (const torch::Tensor& parameter : network->parameters())
      pass.push_back(parameter.grad().defined() ? parameter.grad().clone() : torch::Tensor());
  }
  const auto named = network->named_parameters();
  for (size_t i = 0; i < named.size(); ++i) {
    ASSERT_EQ(gradients[0][i].defined(), gradients[1][i].defined()) << named[i].key();
    if (!gradients[0][i].defined()) continue;
    const double scale = gradients[0][i].abs().max().template item<double>();
    EXPECT_LE((gradients[0][i] - gradients[1][i]).abs().max().template item<double>(), 1e-5 * scale + 1e-7)
        << named[i].key();
  }
}

TEST(Recompute, AutoencoderGradientsAreTheSame) {
  Vae vae(SmallVae());
  FillRandom(*vae);
  torch::manual_seed(4);
  const torch::Tensor images = torch::randn({1, 3, 32, 32});
  ExpectSameGradients(vae, [&] {
    return vae->Decode(vae->EncodeMode(images)).square().mean() + vae->EncodeMoments(images).square().mean();
  });
}

TEST(Recompute, TextEncoderGradientsAreTheSame) {
  ClipTextEncoder encoder(SmallText());
  FillRandom(*encoder);
  const torch::Tensor ids = torch::tensor({{598, 3, 5, 599}, {598, 7, 599, 599}});
  ExpectSameGradients(encoder, [&] { return encoder->forward(ids).pow(3).mean(); });
}

TEST(Recompute, ClipGradientsAreTheSame) {
  ClipConfig config{.text = SmallText(), .projection_dim = 8, .pooled_token = std::nullopt};
  config.vision = {.hidden_size = 24,
                   .intermediate_size = 48,
                   .num_layers = 2,
                   .num_heads = 3,
                   .image_size = 32,
                   .patch_size = 8};
  Clip clip(config);
  FillRandom(*clip);
  torch::manual_seed(5);
  const torch::Tensor images = torch::randn({2, 3, 32, 32});
  const torch::Tensor ids = torch::tensor({{598, 3, 5, 599}, {598, 7, 599, 599}});
  ExpectSameGradients(clip, [&] { return (clip->ImageFeatures(images) * clip->TextFeatures(ids)).mean(); });
}

TEST(Recompute, WithoutGradientsNothingIsKept) {
  const torch::NoGradGuard no_grad;
  int runs = 0;
  const torch::Tensor y = Recompute(
      [&](const std::vector<torch::Tensor>& in) {
        ++runs;
        return in[0] * 2;
      },
      {torch::ones({2})});
  EXPECT_FALSE(y.requires_grad());
  EXPECT_EQ(runs, 1);
}

TEST(Recompute, RunsTwiceForAGradient) {
  const torch::Tensor w = torch::full({2}, 3.0F).set_requires_grad(true);
  const torch::Tensor x = torch::ones({2}).set_requires_grad(true);
  int runs = 0;
  const torch::Tensor y = Recompute(
      [&](const std::vector<torch::Tensor>& in) {
        ++runs;
        return in[0] * w;
      },
      {x});
  y.sum().backward();
  EXPECT_EQ(runs, 2);
  EXPECT_TRUE(torch::equal(x.grad(), torch::full({2}, 3.0F)));
  EXPECT_TRUE(torch::equal(w.grad(), torch::ones({2})));
}

}  // namespace
}  // namespace ip2p
