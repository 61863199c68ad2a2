// Strict loading: what a checkpoint's tensors may be, and what is said when they are something else.
#include "common/model/weights.h"

#include <gmock/gmock.h>
#include <sys/mman.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <cmath>
#include <limits>
#include <map>

#include "absl/strings/str_cat.h"
#include "common/model/clip/text_encoder.h"
#include "common/model/kernels/prepacked.h"
#include "common/model/layers.h"
#include "small_models.h"

namespace ip2p {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr char kName[] = "text_model.encoder.layers.0.mlp.fc1.weight";

DType Of(torch::ScalarType type) {
  if (type == torch::kFloat64) return DType::kFloat64;
  if (type == torch::kFloat16) return DType::kFloat16;
  if (type == torch::kBFloat16) return DType::kBFloat16;
  if (type == torch::kInt64) return DType::kInt64;
  return DType::kFloat32;
}

TensorView View(const torch::Tensor& tensor) {
  auto owner = std::make_shared<torch::Tensor>(tensor.contiguous());
  const auto* bytes = static_cast<const std::byte*>(owner->const_data_ptr());
  return {Of(tensor.scalar_type()), tensor.sizes().vec(), {bytes, owner->nbytes()}, owner};
}

class WeightsTest : public testing::Test {
 protected:
  WeightsTest() : wanted_(SmallText()), net_(SmallText()) {
    FillRandom(*wanted_);
    for (const auto& item : wanted_->named_parameters()) tensors_[item.key()] = View(item.value().detach());
  }
  absl::Status Assign(const WeightOptions& options = {}) {
    return AssignWeights(*net_, tensors_, "text", options);
  }

  ClipTextEncoder wanted_, net_;
  TensorMap tensors_;
};

TEST_F(WeightsTest, EveryParameterTakesItsTensor) {
  ASSERT_TRUE(Assign().ok());
  for (const auto& item : net_->named_parameters()) {
    EXPECT_TRUE(item.value().equal(wanted_->named_parameters()[item.key()])) << item.key();
  }
}

TEST_F(WeightsTest, TypesAreConverted) {
  for (const auto from : {torch::kFloat64, torch::kFloat16, torch::kBFloat16}) {
    tensors_[kName] = View(wanted_->named_parameters()[kName].detach().to(from));
    for (const auto to : {torch::kFloat32, torch::kBFloat16, torch::kFloat16}) {
      ASSERT_TRUE(Assign({.dtype = to}).ok());
      const torch::Tensor found = net_->named_parameters()[kName];
      EXPECT_EQ(found.scalar_type(), to);
      EXPECT_TRUE(found.equal(wanted_->named_parameters()[kName].to(from).to(to)));
    }
  }
}

TEST_F(WeightsTest, SharesMemoryOnlyWhenAskedAndOfTheRightType) {
  const auto shared = [&] {
    return net_->named_parameters()[kName].const_data_ptr() == tensors_[kName].data.data();
  };
  ASSERT_TRUE(Assign().ok());
  EXPECT_FALSE(shared());
  ASSERT_TRUE(Assign({.dtype = torch::kBFloat16, .share_memory = true}).ok());
  EXPECT_FALSE(shared());
  ASSERT_TRUE(Assign({.share_memory = true}).ok());
  EXPECT_TRUE(shared());
  const torch::Tensor kept = net_->named_parameters()[kName];
  tensors_.clear();  // the parameter keeps the memory alive
  EXPECT_TRUE(kept.equal(wanted_->named_parameters()[kName]));
}

TEST_F(WeightsTest, MisalignedBytesAreCopied) {
  const torch::Tensor tensor = wanted_->named_parameters()[kName].detach();
  auto buffer = std::make_shared<std::vector<std::byte>>(tensor.nbytes() + 1);
  std::memcpy(buffer->data() + 1, tensor.const_data_ptr(), tensor.nbytes());
  tensors_[kName].data = {buffer->data() + 1, tensor.nbytes()};
  tensors_[kName].owner = buffer;
  ASSERT_TRUE(Assign({.share_memory = true}).ok());
  EXPECT_TRUE(net_->named_parameters()[kName].equal(tensor));
}

TEST_F(WeightsTest, MissingIsNamedWithItsShape) {
  tensors_.erase(kName);
  const absl::Status status = Assign();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(status.message(), absl::StrCat("text.", kName, " is missing; wants [48,24]"));
}

TEST_F(WeightsTest, UnexpectedIsNamed) {
  tensors_["text_model.extra"] = View(torch::zeros({2, 3}));
  const absl::Status status = Assign();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(status.message(), "text.text_model.extra is unexpected, [2,3]");
}

TEST_F(WeightsTest, PositionIdsAreIgnored) {
  tensors_["text_model.embeddings.position_ids"] = View(torch::arange(77).unsqueeze(0));
  EXPECT_TRUE(Assign().ok());
}

TEST_F(WeightsTest, MisshapenIsNamedWithBothShapes) {
  tensors_[kName] = View(torch::zeros({24, 48}));
  EXPECT_EQ(Assign().message(), absl::StrCat("text.", kName, " is [24,48]; wants [48,24]"));
}

TEST_F(WeightsTest, IntegersAreRefused) {
  tensors_[kName] = View(torch::zeros({48, 24}, torch::kInt64));
  EXPECT_EQ(Assign().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(WeightsTest, TenFaultsAreNamedAndTheRestCounted) {
  TensorMap none;
  const size_t all = tensors_.size();
  const absl::Status status = AssignWeights(*net_, none, "text", {});
  const std::string message(status.message());
  size_t named = 0;
  for (size_t at = message.find("is missing"); at != message.npos; at = message.find("is missing", at + 1))
    ++named;
  EXPECT_EQ(named, 10u);
  EXPECT_THAT(message, HasSubstr("and " + std::to_string(all - 10) + " more"));
}

TEST_F(WeightsTest, AFaultChangesNothing) {
  FillRandom(*net_, 99);
  const torch::Tensor before = net_->named_parameters()[kName].clone();
  tensors_.erase("text_model.final_layer_norm.bias");
  EXPECT_FALSE(Assign().ok());
  EXPECT_TRUE(net_->named_parameters()[kName].equal(before));
}

TEST_F(WeightsTest, NotFiniteIsDataLossWhereverItLies) {
  const float bad[] = {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                       -std::numeric_limits<float>::infinity()};
  for (const float value : bad) {
    for (const auto type : {torch::kFloat64, torch::kFloat32, torch::kFloat16, torch::kBFloat16}) {
      for (const int64_t at : {0, 577, 48 * 24 - 1}) {
        torch::Tensor tensor = wanted_->named_parameters()[kName].detach().clone();
        tensor.view(-1)[at] = value;
        tensors_[kName] = View(tensor.to(type));
        const absl::Status status = Assign({.dtype = torch::kBFloat16});
        EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << value << " at " << at;
        EXPECT_THAT(std::string(status.message()), HasSubstr(std::string("text.") + kName));
      }
    }
  }
}

TEST_F(WeightsTest, PackedAsTheyArriveEqualsPackedAfterwards) {
  const torch::NoGradGuard no_grad;
  const torch::Tensor ids = torch::arange(2, 22).unsqueeze(0);
  for (const bool share : {false, true}) {
    for (const auto type : {torch::kFloat32, torch::kBFloat16}) {
      ClipTextEncoder arriving(SmallText()), afterwards(SmallText());
      const WeightOptions options{.dtype = type, .share_memory = share, .packing = Packing::kAlways};
      ASSERT_TRUE(AssignWeights(*arriving, tensors_, "text", options).ok());
      ASSERT_TRUE(AssignWeights(*afterwards, tensors_, "text", {.dtype = type}).ok());
      PackAll(*afterwards);
      EXPECT_TRUE(arriving->forward(ids).equal(afterwards->forward(ids))) << type << share;
      const auto kept = arriving->named_parameters(), wanted = afterwards->named_parameters();
      for (const auto& item : wanted) {
        EXPECT_EQ(kept[item.key()].sizes(), item.value().sizes()) << item.key();
        EXPECT_TRUE(kept[item.key()].equal(item.value())) << item.key();
      }
    }
  }
}

TEST_F(WeightsTest, SharedLayersStayPlainWhereAskedSo) {
  const torch::NoGradGuard no_grad;
  const torch::Tensor ids = torch::arange(2, 22).unsqueeze(0);
  const WeightOptions options{.share_memory = true, .packing = Packing::kUnlessShared};
  ASSERT_TRUE(AssignWeights(*net_, tensors_, "text", options).ok());
  EXPECT_EQ(net_->named_parameters()[kName].const_data_ptr(), tensors_[kName].data.data());
  const torch::Tensor states = net_->forward(ids);
  ReleaseSharedWeights(*net_);
  EXPECT_TRUE(net_->forward(ids).equal(states));
  EXPECT_TRUE(states.equal(wanted_->forward(ids)));
  // Of another type they can't be shared, so they are packed.
  ASSERT_TRUE(
      AssignWeights(*net_, tensors_, "text",
                    {.dtype = torch::kBFloat16, .share_memory = true, .packing = Packing::kUnlessShared})
          .ok());
  const bool packs = kernels::CanPack(torch::empty({2, 2}, torch::kBFloat16));
  EXPECT_EQ(net_->named_parameters()[kName].numel() == 0, packs);
}

TEST_F(WeightsTest, OverflowInHalfPrecisionIsDataLoss) {
  tensors_[kName] = View(torch::full({48, 24}, 3.4e38f));  // above bf16's largest
  EXPECT_EQ(Assign({.dtype = torch::kBFloat16}).code(), absl::StatusCode::kDataLoss);
  tensors_[kName] = View(torch::full({48, 24}, 70000.0f));
  EXPECT_TRUE(Assign({.dtype = torch::kBFloat16}).ok());
  EXPECT_EQ(Assign({.dtype = torch::kFloat16}).code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace ip2p
