// torch.save archives: tensors as views where they can be, and every lie about storages, strides and formats
// refused.
#include "common/checkpoint/ckpt.h"

#include <cstring>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/common/checkpoint/file_builders.h"

namespace ip2p {
namespace {

namespace pkl = testing::pickle;
using testing::Bytes;
using ::testing::HasSubstr;
using testing::TorchZip;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
constexpr auto kDamaged = absl::StatusCode::kDataLoss;

// Six floats 0..5.
std::string SixFloats() {
  const std::vector<float> values = {0, 1, 2, 3, 4, 5};
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)};
}

std::string OneTensor(const pkl::Tensor& tensor) {
  return TorchZip(pkl::Dictionary({{"x", pkl::Rebuild(tensor)}}), {{"0", SixFloats()}});
}

std::vector<float> Values(const TensorView& view) {
  std::vector<float> values(view.data.size() / sizeof(float));
  std::memcpy(values.data(), view.data.data(), view.data.size());
  return values;
}

void ExpectRefused(const std::string& bytes, absl::StatusCode code, const std::string& message) {
  const absl::Status status = ParseTorchFile(Bytes(bytes), nullptr, "model.ckpt").status();
  EXPECT_EQ(status.code(), code) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("model.ckpt"));
  EXPECT_THAT(std::string(status.message()), HasSubstr(message));
}

TEST(Ckpt, ContiguousTensorsAreViewsOfTheFile) {
  const std::string bytes = OneTensor({.offset = 2, .shape = {2, 2}, .stride = {2, 1}});
  const auto file = ParseTorchFile(Bytes(bytes), nullptr, "f");
  ASSERT_TRUE(file.ok()) << file.status();
  const TensorView& x = file->tensors.at("x");
  EXPECT_EQ(Values(x), (std::vector<float>{2, 3, 4, 5}));
  EXPECT_GE(reinterpret_cast<const char*>(x.data.data()), bytes.data());
  EXPECT_LT(reinterpret_cast<const char*>(x.data.data()), bytes.data() + bytes.size());
}

TEST(Ckpt, StridedTensorsAreCopied) {
  const std::string bytes = OneTensor({.shape = {3, 2}, .stride = {1, 3}});  // transposed
  const auto file = ParseTorchFile(Bytes(bytes), nullptr, "f");
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(Values(file->tensors.at("x")), (std::vector<float>{0, 3, 1, 4, 2, 5}));
}

TEST(Ckpt, SidesOfOneMayHaveAnyStride) {
  const std::string bytes = OneTensor({.shape = {1, 6}, .stride = {77, 1}});
  EXPECT_TRUE(ParseTorchFile(Bytes(bytes), nullptr, "f").ok());
}

TEST(Ckpt, ScalarsAndEmptyTensors) {
  const std::string scalar = OneTensor({.offset = 5, .shape = {}, .stride = {}});
  EXPECT_EQ(Values(ParseTorchFile(Bytes(scalar), nullptr, "f")->tensors.at("x")), std::vector<float>{5});
  const std::string empty = OneTensor({.shape = {0, 3}, .stride = {3, 1}});
  EXPECT_TRUE(ParseTorchFile(Bytes(empty), nullptr, "f")->tensors.at("x").data.empty());
}

TEST(Ckpt, TakesTheStateDictAndItsStep) {
  const std::string inner = "}(" + pkl::Text("x") + pkl::Rebuild({}) + "u";
  const std::string bytes = TorchZip(
      pkl::Dictionary({{"state_dict", inner}, {"global_step", pkl::Int(875000)}, {"y", pkl::Rebuild({})}}),
      {{"0", SixFloats()}});
  const auto file = ParseTorchFile(Bytes(bytes), nullptr, "f");
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->global_step, 875000);
  EXPECT_EQ(file->tensors.size(), 1u);
}

TEST(Ckpt, RefusesTensorsThatLeaveTheirStorage) {
  ExpectRefused(OneTensor({.offset = 1}), kDamaged, "leave the storage of 6 elements");
  ExpectRefused(OneTensor({.offset = 7, .shape = {}, .stride = {}}), kDamaged, "leave the storage");
  ExpectRefused(OneTensor({.offset = 6, .shape = {1}, .stride = {1}}), kDamaged, "leave the storage");
  ExpectRefused(OneTensor({.offset = -1}), kDamaged, "whole numbers from 0");
  ExpectRefused(OneTensor({.shape = {2, 3}, .stride = {4, 1}}), kDamaged, "leave the storage");
  ExpectRefused(OneTensor({.shape = {2, 3}, .stride = {-3, 1}}), kDamaged, "whole numbers from 0");
  ExpectRefused(OneTensor({.shape = {-2, 3}}), kDamaged, "whole numbers from 0");
  ExpectRefused(OneTensor({.shape = {2}, .stride = {INT64_MAX}}), kDamaged, "leave the storage");
  ExpectRefused(OneTensor({.shape = {2, 2}, .stride = {INT64_MAX, INT64_MAX}}), kDamaged,
                "leave the storage");
  ExpectRefused(OneTensor({.shape = {6}, .stride = {3, 1}}), kDamaged, "whole numbers from 0");
  ExpectRefused(OneTensor({.shape = {7}, .stride = {1}}), kDamaged, "wants at most 6 elements");
  ExpectRefused(OneTensor({.shape = {int64_t{1} << 62, 8}, .stride = {0, 0}}), kDamaged,
                "wants at most 6 elements");
  // One element repeated a million times would be a bomb.
  ExpectRefused(OneTensor({.shape = {1000000}, .stride = {0}}), kDamaged, "wants at most 6 elements");
}

TEST(Ckpt, RefusesStoragesThatLie) {
  ExpectRefused(OneTensor({.elements = 7}), kDamaged, "24 bytes; wants 7 elements of 4");
  ExpectRefused(OneTensor({.elements = 5}), kDamaged, "24 bytes; wants 5 elements of 4");
  ExpectRefused(OneTensor({.elements = -6}), kDamaged, "elements of 4");
  ExpectRefused(OneTensor({.elements = INT64_MAX}), kDamaged, "elements of 4");
  ExpectRefused(OneTensor({.type = "DoubleStorage"}), kDamaged, "wants 6 elements of 8");
  ExpectRefused(OneTensor({.key = "1"}), kDamaged, "storage is not in the file");
  ExpectRefused(OneTensor({.key = "../data.pkl"}), kDamaged, "storage is not in the file");
}

// Tensors may share a storage, but copies of it are not endless.
TEST(Ckpt, RefusesEndlessCopies) {
  std::vector<std::pair<std::string, std::string>> tensors;
  const std::string storage(4 * 40000, 'x');
  for (int i = 0; i < 100; ++i) {
    tensors.emplace_back("x" + std::to_string(i),
                         pkl::Rebuild({.elements = 40000, .shape = {200, 200}, .stride = {1, 200}}));
  }
  ExpectRefused(TorchZip(pkl::Dictionary(tensors), {{"0", storage}}), kDamaged,
                "copies are larger than the file");
}

TEST(Ckpt, RefusesOtherFormats) {
  ExpectRefused(std::string("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.", 15), kInvalid,
                "older than 1.6");
  std::string tar(512, '\0');
  tar.replace(257, 5, "ustar");
  ExpectRefused(tar, kInvalid, "older than 1.6");
  ExpectRefused("\x80\x02}.", kInvalid, "a bare pickle");
  ExpectRefused("hello, this is no checkpoint at all", kDamaged, "no end record");
  ExpectRefused("", kDamaged, "it has 0 bytes");
  const std::string pickle = pkl::Dictionary({});
  ExpectRefused(testing::Zip({{"a/data.pkl", pickle}, {"a/constants.pkl", pickle}}), kInvalid, "TorchScript");
  ExpectRefused(testing::Zip({{"a/data.pkl", pickle}, {"a/byteorder", "big"}}), kInvalid, "big-endian");
  ExpectRefused(testing::Zip({{"a/data.pkl", pickle}, {"b/data.pkl", pickle}}), kDamaged, "two data.pkl");
  ExpectRefused(testing::Zip({{"a/b/data.pkl", pickle}}), kDamaged, "no data.pkl");
  ExpectRefused(testing::Zip({{"data.pkl", pickle}}), kDamaged, "no data.pkl");
}

TEST(Ckpt, RefusesDictionariesThatAreNone) {
  ExpectRefused(TorchZip("\x80\x02].", {}), kDamaged, "holds no dictionary");
  ExpectRefused(TorchZip(pkl::Dictionary({{"state_dict", "]"}}), {}), kDamaged, "no dictionary");
  ExpectRefused(TorchZip("\x80\x02}(K\x01" + pkl::Rebuild({}) + "u.", {{"0", SixFloats()}}), kDamaged,
                "without a text name");
  ExpectRefused(
      TorchZip(pkl::Dictionary({{"x", pkl::Rebuild({})}, {"x", pkl::Rebuild({})}}), {{"0", SixFloats()}}),
      kDamaged, "\"x\" is there twice");
}

TEST(Ckpt, RefusesADamagedPickle) {
  std::string bytes = OneTensor({});
  const size_t at = bytes.find("storage");
  bytes[at] ^= 1;
  ExpectRefused(bytes, kDamaged, "does not match its checksum");
}

TEST(Ckpt, RefusesCode) {
  const std::string call = pkl::Global("os", "system") + "(" + pkl::Text("touch /tmp/x") + "tR";
  ExpectRefused(TorchZip(pkl::Dictionary({{"x", pkl::Rebuild({})}, {"y", call}}), {{"0", SixFloats()}}),
                kInvalid, "asks for \"os.system\", which is not allowed");
}

}  // namespace
}  // namespace ip2p
