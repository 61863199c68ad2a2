// The layers' two lives: differentiable, and packed for inference.
#include "common/model/layers.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "common/model/kernels/prepacked.h"

namespace ip2p {
namespace {

// A packed layer adds the same products in another order, and rounds once where torch may round twice.
double Tolerance(torch::ScalarType type) { return type == torch::kBFloat16 ? 1e-2 : 3e-6; }

template <typename Layer>
void Fill(Layer& layer, torch::ScalarType type) {
  torch::manual_seed(1);
  for (torch::Tensor& p : layer->parameters()) p.set_data((torch::randn(p.sizes()) * 0.05).to(type));
}

void ExpectClose(const torch::Tensor& x, const torch::Tensor& y) {
  ASSERT_EQ(x.sizes(), y.sizes());
  ASSERT_EQ(x.scalar_type(), y.scalar_type());
  const torch::Tensor x64 = x.to(torch::kFloat64), y64 = y.to(torch::kFloat64);
  EXPECT_LE(((x64 - y64).abs().max() / y64.abs().max()).item<double>(), Tolerance(x.scalar_type()));
}

class LayersTest : public testing::TestWithParam<torch::ScalarType> {};

TEST_P(LayersTest, PackedLinearEqualsUnpacked) {
  const torch::NoGradGuard no_grad;
  for (const bool bias : {true, false}) {
    Linear layer(320, 640, bias);
    Fill(layer, GetParam());
    const torch::Tensor x = torch::randn({3, 77, 320}).to(GetParam());
    const torch::Tensor addend = torch::randn({3, 77, 640}).to(GetParam());
    const torch::Tensor y = layer->forward(x), sum = layer->ForwardAdd(x, addend);
    const bool packs = kernels::CanPack(layer->weight);
    EXPECT_EQ(layer->Pack(), packs);
    EXPECT_EQ(layer->packed(), packs);
    EXPECT_EQ(layer->weight.numel() == 0, packs);
    EXPECT_EQ(layer->dtype(), GetParam());
    ExpectClose(layer->forward(x), y);
    ExpectClose(layer->ForwardAdd(x, addend), sum);
    ExpectClose(layer->forward(x.transpose(0, 1)), y.transpose(0, 1));
    ExpectClose(layer->forward(x[0][0]), y[0][0]);
  }
}

TEST_P(LayersTest, PackedConv2dEqualsUnpacked) {
  const torch::NoGradGuard no_grad;
  struct Shape {
    int64_t in, out, kernel, stride, padding;
  };
  for (const Shape& s : std::vector<Shape>{{32, 64, 3, 1, 1},
                                           {8, 32, 3, 1, 1},
                                           {32, 32, 3, 2, 1},
                                           {64, 32, 1, 1, 0},
                                           {32, 4, 3, 1, 1},
                                           {32, 32, 3, 2, 0}}) {
    Conv2d layer(s.in, s.out, s.kernel, s.stride, s.padding);
    Fill(layer, GetParam());
    const torch::Tensor x = torch::randn({2, s.in, 17, 12}).to(GetParam());
    const torch::Tensor y = layer->forward(x);
    const torch::Tensor addend = torch::randn(y.sizes()).to(GetParam());
    const torch::Tensor sum = layer->ForwardAdd(x, addend);
    const bool packs = kernels::CanPack(layer->weight);
    EXPECT_EQ(layer->Pack(), packs);
    EXPECT_EQ(layer->weight.numel() == 0, packs);
    ExpectClose(layer->forward(x), y);
    ExpectClose(layer->ForwardAdd(x, addend), sum);
    EXPECT_TRUE(layer->forward(x).is_contiguous(torch::MemoryFormat::ChannelsLast));
  }
}

INSTANTIATE_TEST_SUITE_P(Types, LayersTest, testing::Values(torch::kFloat32, torch::kBFloat16));

TEST(Layers, PackedRefusesGradients) {
  Linear linear(8, 8);
  Conv2d conv(8, 8, 1);
  Fill(linear, torch::kFloat32);
  Fill(conv, torch::kFloat32);
  ASSERT_TRUE(linear->Pack());
  ASSERT_TRUE(conv->Pack());
  EXPECT_THROW(linear->forward(torch::zeros({1, 8})), c10::Error);
  EXPECT_THROW(conv->forward(torch::zeros({1, 8, 2, 2})), c10::Error);
  const torch::NoGradGuard no_grad;
  EXPECT_NO_THROW(linear->forward(torch::zeros({1, 8})));
}

TEST(Layers, UnpackedGivesGradients) {
  Linear linear(8, 4);
  Conv2d conv(4, 8, 3, 1, 1);
  GroupNorm norm(2, 8, 1e-5, /*silu=*/true);
  LayerNorm layer_norm(4, 1e-5);
  Fill(linear, torch::kFloat32);
  Fill(conv, torch::kFloat32);
  Fill(norm, torch::kFloat32);
  Fill(layer_norm, torch::kFloat32);
  torch::Tensor x = norm->forward(conv->forward(torch::randn({1, 4, 5, 5})));
  x = layer_norm->forward(linear->forward(x.flatten(2).transpose(1, 2)));
  x.square().sum().backward();
  for (const auto& module : std::vector<std::shared_ptr<torch::nn::Module>>{linear.ptr(), conv.ptr(),
                                                                            norm.ptr(), layer_norm.ptr()}) {
    for (const auto& parameter : module->named_parameters()) {
      ASSERT_TRUE(parameter.value().grad().defined()) << parameter.key();
      EXPECT_TRUE(parameter.value().grad().isfinite().all().item<bool>());
    }
  }
}

TEST(Layers, PackAllFindsEveryLayer) {
  torch::nn::Module root;
  auto inner = root.register_module("inner", std::make_shared<torch::nn::Module>());
  Linear linear = inner->register_module("linear", Linear(8, 8));
  Conv2d conv = root.register_module("conv", Conv2d(4, 8, 3));
  Fill(linear, torch::kFloat32);
  Fill(conv, torch::kFloat32);
  PackAll(root);
  EXPECT_TRUE(linear->packed());
  EXPECT_TRUE(conv->packed());
  PackAll(root);  // nothing is left to do
  EXPECT_TRUE(linear->packed());
}

TEST(Layers, CheckpointNames) {
  Linear with(2, 3), without(2, 3, /*bias=*/false);
  EXPECT_EQ(with->named_parameters().keys(), (std::vector<std::string>{"weight", "bias"}));
  EXPECT_EQ(without->named_parameters().keys(), (std::vector<std::string>{"weight"}));
  EXPECT_EQ(Conv2d(2, 3, 1)->named_parameters().keys(), (std::vector<std::string>{"weight", "bias"}));
}

}  // namespace
}  // namespace ip2p
