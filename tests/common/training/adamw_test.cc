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
    OptimizerState state = NewOptimizerState(set, /*moments_in_8_bits=*/false, /*averages=*/false);
    torch::optim::AdamW optimizer({theirs}, torch::optim::AdamWOptions(3e-3).weight_decay(decay));
    for (int step = 0; step < 20; ++step) {
      const torch::Tensor gradient = torch::randn({1000}) * (step % 3 == 0 ? 1e-4 : 1);
      theirs.mutable_grad() = gradient;
      optimizer.step();
      set.ZeroGradients();
      set.gradients().narrow(0, 0, 1000).copy_(gradient * 2);
      AdamWStep({.weight_decay = decay}, 3e-3, /*gradient_scale=*/0.5, 0, set, state);
    }
    EXPECT_LT((theirs - ours).abs().max().item<double>(), kTolerance) << "decay " << decay;
  }
}

// A tenth of a quadratic bowl's weights see steep slopes; noise on the gradient as of small batches.
double LossAfter(bool moments_in_8_bits, int steps) {
  torch::manual_seed(3);
  const torch::Tensor target = torch::randn({4096});
  const torch::Tensor slope = torch::pow(10, -2 * torch::rand({4096}));
  torch::Tensor w = torch::zeros({4096});
  ParameterSet set({{"w", w}});
  OptimizerState state = NewOptimizerState(set, moments_in_8_bits, /*averages=*/false);
  for (int step = 0; step < steps; ++step) {
    set.ZeroGradients();
    const torch::NoGradGuard no_grad;
    set.gradients().copy_(slope * (w - target) + 0.1 * slope * torch::randn({4096}));
    AdamWStep({.weight_decay = 0}, 1e-2, 1, 0, set, state);
  }
  const torch::NoGradGuard no_grad;
  return (slope * (w - target).square()).mean().item<double>();
}

TEST(AdamW, In8BitsConvergesAsIn32) {
  const double start = LossAfter(false, 0), wide = LossAfter(false, 600), narrow = LossAfter(true, 600);
  EXPECT_LT(wide, 0.01 * start);
  EXPECT_LT(narrow, 1.2 * wide) << "of " << start;
}

// Two float32 a weight become two bytes, and two scales a block.
TEST(AdamW, In8BitsTheStateIsAQuarter) {
  ParameterSet set({{"w", torch::zeros({1000, 100})}});
  const auto bytes = [&](bool moments_in_8_bits) {
    const OptimizerState s = NewOptimizerState(set, moments_in_8_bits, /*averages=*/false);
    size_t sum = s.exp_avg.nbytes() + s.exp_avg_sq.nbytes();
    if (moments_in_8_bits) sum += s.exp_avg_scale.nbytes() + s.exp_avg_sq_scale.nbytes();
    return static_cast<double>(sum);
  };
  EXPECT_LT(bytes(true) / bytes(false), 0.255);
}

// What modules compute with in bf16 are the weights, rounded; their gradients count as the others do.
TEST(AdamW, WritesShadows) {
  torch::manual_seed(4);
  for (const bool moments_in_8_bits : {false, true}) {
    const torch::Tensor conv = torch::randn({8, 4, 3, 3}), norm = torch::randn({8}),
                        linear = torch::randn({5, 8});
    const torch::Tensor conv2 = conv.clone(), norm2 = norm.clone(), linear2 = linear.clone();
    ParameterSet shadowed({{"a.conv", conv, true}, {"b.norm", norm}, {"c.linear", linear, true}});
    ParameterSet plain({{"a.conv", conv2}, {"b.norm", norm2}, {"c.linear", linear2}});
    EXPECT_EQ(conv.scalar_type(), torch::kBFloat16);
    EXPECT_EQ(norm.scalar_type(), torch::kFloat32);
    EXPECT_TRUE(conv.is_contiguous(torch::MemoryFormat::ChannelsLast));
    EXPECT_TRUE(torch::equal(conv, conv2.to(torch::kBFloat16)));
    OptimizerState a = NewOptimizerState(shadowed, moments_in_8_bits, /*averages=*/true);
    OptimizerState b = NewOptimizerState(plain, moments_in_8_bits, /*averages=*/true);
    for (int step = 0; step < 3; ++step) {
      shadowed.ZeroGradients();
      plain.ZeroGradients();
      const torch::NoGradGuard no_grad;
      for (size_t i = 0; i < 3; ++i) {
        const auto& item = shadowed.items()[i];
        const torch::Tensor gradient = torch::randn(item.tensor.sizes()).to(torch::kBFloat16);
        item.tensor.grad().copy_(gradient);
        plain.items()[i].tensor.grad().copy_(gradient);
      }
      EXPECT_NEAR(GradientNorm(shadowed) / GradientNorm(plain), 1, 1e-6);
      EXPECT_TRUE(torch::equal(shadowed.AllGradients(), plain.gradients()));
      AdamWStep({}, 1e-2, 0.5, 0.9999, shadowed, a);
      AdamWStep({}, 1e-2, 0.5, 0.9999, plain, b);
    }
    EXPECT_TRUE(torch::equal(shadowed.weights(), plain.weights()));
    EXPECT_TRUE(torch::equal(a.ema, b.ema));
    EXPECT_TRUE(torch::equal(linear, linear2.to(torch::kBFloat16)));
    EXPECT_TRUE(torch::equal(norm, norm2));
  }
}

TEST(AdamW, TheNormIsTheNorm) {
  torch::manual_seed(5);
  ParameterSet set({{"w", torch::zeros({100000})}});
  set.gradients().narrow(0, 0, 100000).normal_();
  const double exact = set.gradients().to(torch::kFloat64).norm().item<double>();
  EXPECT_NEAR(GradientNorm(set) / exact, 1, 1e-6);
}

// ldm/modules/ema.py, by hand.
TEST(AdamW, AverageWarmsUpAsTheReferences) {
  EXPECT_DOUBLE_EQ(EmaDecay(0.9999, 1), 2.0 / 11);
  EXPECT_DOUBLE_EQ(EmaDecay(0.9999, 1'000'000), 0.9999);
  torch::manual_seed(2);
  ParameterSet set({{"w", torch::randn({64})}});
  OptimizerState state = NewOptimizerState(set, /*moments_in_8_bits=*/false, /*averages=*/true);
  torch::Tensor shadow = set.weights().clone();
  for (int n = 1; n <= 5; ++n) {
    set.gradients().normal_();
    AdamWStep({}, 1e-2, 1, 0.9999, set, state);
    shadow -= (1 - EmaDecay(0.9999, n)) * (shadow - set.weights());
  }
  EXPECT_LT((shadow - state.ema).abs().max().item<double>(), kTolerance);
}

}  // namespace
}  // namespace ip2p
