#include "common/training/adamw.h"

#include <torch/optim/adamw.h>

#include "common/training/parameter_set.h"
#include "gtest/gtest.h"

namespace ip2p {
namespace {

constexpr double kTolerance = 1e-6;  // relative to weights of size 1; measured 2e-7

TEST(ParameterSet, KeepsValuesAndNames) {
  const torch::Tensor conv = torch::randn({4, 3, 2, 2}), bias = torch::randn({5});
  const torch::Tensor conv_before = conv.clone(), bias_before = bias.clone();
  ParameterSet set({{"a.conv", conv}, {"a.bias", bias}});
  EXPECT_EQ(set.count(), 53);
  EXPECT_TRUE(torch::equal(conv, conv_before));
  EXPECT_TRUE(torch::equal(bias, bias_before));
  EXPECT_TRUE(conv.is_contiguous(torch::MemoryFormat::ChannelsLast));
  const TensorMap tensors = set.ToTensors(set.weights());
  EXPECT_TRUE(torch::equal(FromTensorView(tensors.at("a.conv")), conv_before));
  set.weights().zero_();
  EXPECT_EQ(conv.abs().sum().item<float>(), 0) << "a view of the buffer";
  ASSERT_TRUE(set.FromTensors(tensors, set.weights()).ok());
  EXPECT_TRUE(torch::equal(conv, conv_before));
}

TEST(ParameterSet, GradientsLandInTheBuffer) {
  const torch::Tensor w = torch::ones({3});
  ParameterSet set({{"w", w}});
  for (int pass = 0; pass < 2; ++pass) {
    set.ZeroGradients();
    (2 * w).sum().backward();
    (3 * w).sum().backward();
    EXPECT_EQ(set.gradients().sum().item<float>(), 15);
  }
}

TEST(ParameterSet, RefusesOtherTensors) {
  ParameterSet set({{"w", torch::ones({3})}});
  ParameterSet other({{"w", torch::ones({4})}}), named({{"v", torch::ones({3})}});
  EXPECT_FALSE(set.FromTensors(other.ToTensors(other.weights()), set.weights()).ok());
  EXPECT_FALSE(set.FromTensors(named.ToTensors(named.weights()), set.weights()).ok());
}

TEST(AdamW, EqualsTorchs) {
  for (const double decay : {0.0, 0.01}) {
    torch::manual_seed(1);
    torch::Tensor theirs = torch::randn({1000}), ours = theirs.clone();
    theirs.set_requires_grad(true);
    ParameterSet set({{"w", ours}});
    OptimizerState state{.exp_avg = set.NewBuffer(), .exp_avg_sq = set.NewBuffer()};
    torch::optim::AdamW optimizer({theirs}, torch::optim::AdamWOptions(3e-3).weight_decay(decay));
    for (int step = 0; step < 20; ++step) {
      const torch::Tensor gradient = torch::randn({1000}) * (step % 3 == 0 ? 1e-4 : 1);
      theirs.mutable_grad() = gradient;
      optimizer.step();
      set.ZeroGradients();
      set.gradients().narrow(0, 0, 1000).copy_(gradient * 2);
      AdamWStep({.weight_decay = decay}, 3e-3, /*gradient_scale=*/0.5, 0, set.weights(), set.gradients(),
                state);
    }
    EXPECT_LT((theirs - ours).abs().max().item<double>(), kTolerance) << "decay " << decay;
  }
}

// ldm/modules/ema.py, by hand.
TEST(AdamW, AverageWarmsUpAsTheReferences) {
  EXPECT_DOUBLE_EQ(EmaDecay(0.9999, 1), 2.0 / 11);
  EXPECT_DOUBLE_EQ(EmaDecay(0.9999, 1'000'000), 0.9999);
  torch::manual_seed(2);
  ParameterSet set({{"w", torch::randn({64})}});
  OptimizerState state{
      .exp_avg = set.NewBuffer(), .exp_avg_sq = set.NewBuffer(), .ema = set.weights().clone()};
  torch::Tensor shadow = set.weights().clone();
  for (int n = 1; n <= 5; ++n) {
    set.gradients().normal_();
    AdamWStep({}, 1e-2, 1, 0.9999, set.weights(), set.gradients(), state);
    shadow -= (1 - EmaDecay(0.9999, n)) * (shadow - set.weights());
  }
  EXPECT_LT((shadow - state.ema).abs().max().item<double>(), kTolerance);
}

}  // namespace
}  // namespace ip2p
