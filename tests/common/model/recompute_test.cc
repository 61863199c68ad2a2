#include "common/model/recompute.h"

#include "common/model/unet/unet.h"
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
