// The safetensors reader refuses everything that is not exactly one well-formed file; the writer makes such
// files.
#include "common/checkpoint/safetensors.h"

#include <cstring>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/common/checkpoint/file_builders.h"

namespace ip2p {
namespace {

using testing::Bytes;
using ::testing::HasSubstr;
using testing::Little;
using testing::Safetensors;

constexpr char kPair[] = R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
                         R"("b":{"dtype":"U8","shape":[3],"data_offsets":[8,11]}})";

struct BadFile {
  const char* what;
  std::string bytes;
  const char* message;
};

class BadSafetensors : public ::testing::TestWithParam<BadFile> {};

TEST_P(BadSafetensors, IsDataLoss) {
  const std::string& bytes = GetParam().bytes;
  const absl::Status status = ParseSafetensors(Bytes(bytes), nullptr, "unet.safetensors").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("unet.safetensors is damaged"));
  EXPECT_THAT(std::string(status.message()), HasSubstr(GetParam().message));
}

// One tensor "a" with these fields and 8 bytes of data.
BadFile Entry(const char* what, const std::string& fields, const char* message) {
  return {what, Safetensors("{\"a\":{" + fields + "}}", "12345678"), message};
}

INSTANTIATE_TEST_SUITE_P(
    Files, BadSafetensors,
    ::testing::Values(
        BadFile{"Empty", "", "it has 0 bytes"}, BadFile{"SevenBytes", "1234567", "it has 7 bytes"},
        BadFile{"LengthZero", Little<uint64_t>(0) + "{}", "header length is 0"},
        BadFile{"LengthTwoTo63", Little<uint64_t>(uint64_t{1} << 63) + "{}",
                "header length is 9223372036854775808"},
        BadFile{"LengthAllOnes", Little<uint64_t>(~uint64_t{0}) + "{}",
                "header length is 18446744073709551615"},
        BadFile{"LengthOver100MB", Little<uint64_t>(100'000'001) + "{}", "wants 1..100000000"},
        BadFile{"LengthPastEnd", Little<uint64_t>(3) + "{}", "only 2 bytes follow"},
        BadFile{"NotJson", Safetensors("hello", ""), "does not begin with {"},
        BadFile{"TornJson", Safetensors("{\"a\":{", ""), "not JSON at byte"},
        BadFile{"TwoDocuments", Safetensors("{}{}", ""), "not JSON at byte"},
        BadFile{"InvalidUtf8", Safetensors("{\"\xff\":{}}", ""), "not JSON at byte"},
        BadFile{"List", Safetensors("[]", ""), "does not begin with {"},
        BadFile{"DeepNesting", Safetensors("{\"a\":" + std::string(100000, '['), ""),
                "a list in a wrong place"},
        BadFile{"DuplicateTensor",
                Safetensors(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},)"
                            R"("a":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}})",
                            "12345678"),
                "\"a\" stands there twice"},
        BadFile{"DuplicateMetadata", Safetensors(R"({"__metadata__":{},"__metadata__":{}})", ""), "twice"},
        BadFile{"DuplicateMetadataKey", Safetensors(R"({"__metadata__":{"x":"1","x":"2"}})", ""),
                "a key twice"},
        BadFile{"MetadataNotText", Safetensors(R"({"__metadata__":{"x":1}})", ""),
                "a number in a wrong place"},
        Entry("DuplicateField", R"("dtype":"U8","dtype":"U8","shape":[8],"data_offsets":[0,8])", "twice"),
        Entry("MissingField", R"("dtype":"U8","shape":[8])", "lacks one of dtype"),
        Entry("UnknownField", R"("dtype":"U8","shape":[8],"data_offsets":[0,8],"x":1)",
              "unknown field \"x\""),
        Entry("UnknownDtype", R"("dtype":"F128","shape":[8],"data_offsets":[0,8])", "dtype is \"F128\""),
        Entry("ShapeTooSmall", R"("dtype":"U8","shape":[7],"data_offsets":[0,8])", "in 8 bytes; wants 7"),
        Entry("ShapeTooLarge", R"("dtype":"F64","shape":[2],"data_offsets":[0,8])", "in 8 bytes; wants 16"),
        Entry("ShapeOverflows", R"("dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,8])",
              "wants fewer elements"),
        Entry("ShapeWrapsToRight", R"("dtype":"F64","shape":[2305843009213693953],"data_offsets":[0,8])",
              "wants fewer elements"),
        Entry("ShapeBeyondInt64", R"("dtype":"U8","shape":[18446744073709551615],"data_offsets":[0,8])",
              "shape is too large"),
        Entry("NegativeShape", R"("dtype":"U8","shape":[-8],"data_offsets":[0,8])", "a negative number"),
        Entry("FractionalShape", R"("dtype":"U8","shape":[8.0],"data_offsets":[0,8])", "a fraction"),
        Entry("SeventeenDimensions",
              R"("dtype":"U8","shape":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,8],"data_offsets":[0,8])",
              "too many dimensions"),
        Entry("OneOffset", R"("dtype":"U8","shape":[8],"data_offsets":[0])", "fewer than two"),
        Entry("ThreeOffsets", R"("dtype":"U8","shape":[8],"data_offsets":[0,8,8])", "more than two"),
        Entry("Backwards", R"("dtype":"U8","shape":[8],"data_offsets":[8,0])", "lies at 8..0"),
        Entry("PastEnd", R"("dtype":"U8","shape":[9],"data_offsets":[0,9])", "within 0..8"),
        Entry("Hole", R"("dtype":"U8","shape":[7],"data_offsets":[1,8])", "a hole of 1 bytes"),
        Entry("Trailing", R"("dtype":"U8","shape":[7],"data_offsets":[0,7])", "1 trailing bytes"),
        BadFile{"Overlap",
                Safetensors(R"({"a":{"dtype":"U8","shape":[5],"data_offsets":[0,5]},)"
                            R"("b":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}})",
                            "12345678"),
                "\"b\" overlaps"}),
    [](const auto& test) { return test.param.what; });

TEST(Safetensors, ReadsTensorsAndMetadata) {
  const std::string bytes = Safetensors(
      R"({"__metadata__":{"format":"pt"},)" + std::string(kPair + 1) + "   ", std::string(8, '\0') + "xyz");
  const auto file = ParseSafetensors(Bytes(bytes), nullptr, "f");
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->metadata, (Metadata{{"format", "pt"}}));
  EXPECT_EQ(file->tensors.at("a").shape, std::vector<int64_t>{2});
  EXPECT_EQ(std::memcmp(file->tensors.at("b").data.data(), "xyz", 3), 0);
}

TEST(Safetensors, ReadsScalarsAndEmptyTensors) {
  const std::string bytes = Safetensors(R"({"s":{"dtype":"F16","shape":[],"data_offsets":[0,2]},)"
                                        R"("e":{"dtype":"F32","shape":[3,0],"data_offsets":[2,2]}})",
                                        "12");
  const auto file = ParseSafetensors(Bytes(bytes), nullptr, "f");
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_TRUE(file->tensors.at("e").data.empty());
  EXPECT_EQ(file->tensors.at("s").data.size(), 2u);
}

// A header of a length that no writer pads to puts the data at an odd address.
TEST(Safetensors, TensorsAreAlignedWhateverTheFileSays) {
  for (int pad = 0; pad < 8; ++pad) {
    const std::string bytes = Safetensors(kPair + std::string(pad, ' '), "ABCDEFGHxyz");
    const auto file = ParseSafetensors(Bytes(bytes), nullptr, "f");
    ASSERT_TRUE(file.ok()) << file.status();
    const TensorView& a = file->tensors.at("a");
    EXPECT_EQ(reinterpret_cast<uintptr_t>(a.data.data()) % 4, 0u);
    EXPECT_EQ(std::memcmp(a.data.data(), "ABCDEFGH", 8), 0);
  }
}

TEST(Safetensors, WritesWhatItReads) {
  const testing::TempFolder folder;
  const ModelSource model = testing::MakeModel(testing::SmallConfig());
  const Metadata metadata = {{"a", "\"quoted\"\n"}, {"b", ""}};
  ASSERT_TRUE(WriteSafetensors(folder.Path("x"), model.unet, metadata).ok());
  const auto file = ReadSafetensors(folder.Path("x"), "x");
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_TRUE(testing::SameTensors(file->tensors, model.unet));
  EXPECT_EQ(file->metadata, metadata);
  ASSERT_TRUE(WriteSafetensors(folder.Path("y"), file->tensors, file->metadata).ok());
  EXPECT_EQ(testing::ReadAll(folder.Path("x")), testing::ReadAll(folder.Path("y")));
}

// Wide elements first, so that each lies at a multiple of its size.
TEST(Safetensors, WritesAlignedMixedTypes) {
  const testing::TempFolder folder;
  auto data = std::make_shared<std::vector<double>>(4, 0.5);
  const auto bytes = std::as_bytes(std::span(*data));
  const TensorMap tensors = {{"a", {DType::kUInt8, {3}, bytes.first(3), data}},
                             {"b", {DType::kFloat16, {5}, bytes.first(10), data}},
                             {"c", {DType::kFloat64, {2}, bytes.first(16), data}}};
  ASSERT_TRUE(WriteSafetensors(folder.Path("x"), tensors, {}).ok());
  const std::string written = testing::ReadAll(folder.Path("x"));
  EXPECT_LT(written.find("\"c\""), written.find("\"b\""));
  EXPECT_LT(written.find("\"b\""), written.find("\"a\""));
  const auto file = ReadSafetensors(folder.Path("x"), "x");
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_TRUE(testing::SameTensors(file->tensors, tensors));
}

TEST(Safetensors, RefusesToWriteALyingTensor) {
  const testing::TempFolder folder;
  EXPECT_EQ(WriteSafetensors(folder.Path("x"), {{"a", {DType::kFloat32, {2}, {}, nullptr}}}, {}).code(),
            absl::StatusCode::kInternal);
}

}  // namespace
}  // namespace ip2p
