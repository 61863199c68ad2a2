// Masked edits: what is kept, what comes back, what is refused.
#include "common/image/mask.h"

#include "common/image/decode.h"
#include "common/image/encode.h"
#include "gmock/gmock.h"
#include "tests/services/edit_server/server_fixture.h"

namespace ip2p::edit_server {
namespace {

using ::testing::HasSubstr;

constexpr int kWidth = 101, kHeight = 67;

// White in a box of the right half.
Image MaskOf(int width = kWidth, int height = kHeight) {
  Mask mask{width, height, std::vector<uint8_t>(static_cast<size_t>(width) * height)};
  for (int y = height / 4; y < height / 2; ++y) {
    for (int x = width / 2; x < width * 3 / 4; ++x) mask.values[static_cast<size_t>(y) * width + x] = 255;
  }
  return MaskImage(mask);
}

std::string Png(const Image& image) { return *EncodeImage(image); }

Image Decoded(const image::v1::Image& picture) {
  auto decoded = DecodeImage(picture.data());
  EXPECT_TRUE(decoded.ok()) << decoded.status();
  return decoded.ok() ? decoded->image : Image();
}

class MaskTest : public ServerTest {
 protected:
  static EditRequest MaskedRequest() {
    EditRequest request = GoodRequest();
    request.mutable_image()->set_data(Photo(kWidth, kHeight));
    request.mutable_params()->set_mask_feather(0);
    request.mutable_mask()->set_data(Png(MaskOf()));
    return request;
  }

  // Outside of the mask every byte, inside the engine's.
  static void ExpectKept(const Image& result, const Image& mask) {
    const Image photo = testing::Gradient(kWidth, kHeight);
    ASSERT_EQ(result.width, kWidth);
    ASSERT_EQ(result.height, kHeight);
    int64_t changed = 0;
    for (size_t i = 0; i < result.pixels.size(); ++i) {
      const bool same = result.pixels[i] == photo.pixels[i];
      ASSERT_TRUE(same || mask.pixels[i] != 0) << i;
      if (!same) ++changed;
    }
    EXPECT_GT(changed, 500);
  }

  std::string Refusal(const EditRequest& request) {
    const absl::Status status = Edit(request);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    return std::string(status.message());
  }
};

TEST_F(MaskTest, TheRestComesBackBitForBitAtEveryResolution) {
  Start();
  for (const int resolution : {0, 64, 512}) {
    EditRequest request = MaskedRequest();
    request.mutable_params()->set_resolution(resolution);
    EditResponse response;
    ASSERT_TRUE(Edit(request, &response).ok());
    const edit::v1::EditOutput& output = response.result().outputs(0);
    ExpectKept(Decoded(output.image()), MaskOf());
    EXPECT_EQ(output.image().width(), kWidth);
    EXPECT_FALSE(output.has_mask());  // the caller has it
    EXPECT_THAT(*ReadParameters(output.image().data()),
                HasSubstr("Mask: given, Mask feather: 0, Size: 101x67"));
  }
}

TEST_F(MaskTest, AnAutoMaskComesBackWithThePicture) {
  Start();
  EditRequest request = MaskedRequest();
  request.clear_mask();
  request.mutable_params()->set_auto_mask(0.5);
  request.mutable_params()->set_count(2);
  EditResponse response;
  ASSERT_TRUE(Edit(request, &response).ok());
  EXPECT_EQ(response.result().params().auto_mask(), 0.5);
  for (const edit::v1::EditOutput& output : response.result().outputs()) {
    const Image mask = Decoded(output.mask());
    EXPECT_EQ(output.mask().width(), kWidth);
    EXPECT_EQ(mask.pixels.front(), 255);  // the fake engine's left half
    EXPECT_EQ(mask.pixels.back(), 0);
    ExpectKept(Decoded(output.image()), mask);
    EXPECT_THAT(*ReadParameters(output.image().data()), HasSubstr("Mask: auto 0.5"));
  }
}

TEST_F(MaskTest, AnEmptyInstructionGivesThePhotoAtItsOwnSize) {
  Start();
  EditRequest request = MaskedRequest();
  request.mutable_params()->set_instruction("");
  EditResponse response;
  ASSERT_TRUE(Edit(request, &response).ok());
  EXPECT_EQ(Decoded(response.result().outputs(0).image()), testing::Gradient(kWidth, kHeight));
  request.mutable_mask()->set_data(Png(MaskOf(10, 10)));
  EXPECT_THAT(Refusal(request), HasSubstr("mask is 10x10"));
}

TEST_F(MaskTest, LosslessWebpWillDo) {
  Start();
  EditRequest request = MaskedRequest();
  request.mutable_output()->set_format(image::v1::IMAGE_FORMAT_WEBP);
  request.mutable_output()->set_lossless(true);
  EditResponse response;
  ASSERT_TRUE(Edit(request, &response).ok());
  ExpectKept(Decoded(response.result().outputs(0).image()), MaskOf());
}

TEST_F(MaskTest, WhatMakesNoSenseIsNamedAndTheNextGoodOneIsAnswered) {
  Start();
  EditRequest request = MaskedRequest();
  request.mutable_mask()->set_data(Png(MaskOf(kHeight, kWidth)));
  EXPECT_THAT(Refusal(request), HasSubstr("mask is 67x101; wants the size of the photo, upright 101x67"));
  request.mutable_mask()->set_data(Png(Image{kWidth, kHeight, std::vector<uint8_t>(3 * kWidth * kHeight)}));
  EXPECT_THAT(Refusal(request), HasSubstr("mask is black everywhere"));
  request.mutable_mask()->set_data("GIF89a and more");
  EXPECT_THAT(Refusal(request), HasSubstr("mask is a GIF; wants JPEG, PNG or WebP"));
  request.mutable_mask()->clear_data();
  EXPECT_THAT(Refusal(request), HasSubstr("mask is empty"));
  request.mutable_mask()->set_data(Png(MaskOf()).substr(0, 90));
  EXPECT_THAT(Refusal(request), HasSubstr("mask: "));
  request.mutable_mask()->set_data(testing::WithPngSize(Png(MaskOf()), 30000, 30000));
  EXPECT_THAT(Refusal(request), HasSubstr("mask: image is 30000x30000 px"));
  request = MaskedRequest();
  request.mutable_mask()->set_format(image::v1::IMAGE_FORMAT_JPEG);
  EXPECT_THAT(Refusal(request), HasSubstr("mask.format is 1; the data is PNG"));
  request = MaskedRequest();
  request.mutable_params()->set_auto_mask(0.5);
  EXPECT_THAT(Refusal(request), HasSubstr("mask and auto_mask are both given; wants one of them"));
  request.clear_mask();
  request.mutable_params()->set_auto_mask(-0.1);
  EXPECT_THAT(Refusal(request), HasSubstr("auto_mask is -0.1"));
  request.mutable_params()->set_mask_feather(65);
  EXPECT_THAT(Refusal(request), HasSubstr("mask_feather is 65; wants 0..64"));
  for (const auto format : {image::v1::IMAGE_FORMAT_JPEG, image::v1::IMAGE_FORMAT_WEBP}) {
    request = MaskedRequest();
    request.mutable_output()->set_format(format);
    EXPECT_THAT(Refusal(request),
                HasSubstr("a masked edit keeps pixels as they are, wants PNG or lossless WebP"));
  }
  EXPECT_TRUE(Edit(MaskedRequest()).ok());
  EXPECT_TRUE(AwaitIdle());
  EXPECT_EQ(Metric("ip2p_edit_in_flight"), 0);
  EXPECT_EQ(Metric("ip2p_edit_queue_depth"), 0);
}

TEST_F(MaskTest, TheMaskBelongsToWhatARequestIdNames) {
  Start();
  EditRequest request = MaskedRequest();
  request.set_request_id("order-1");
  EditResponse first, second;
  ASSERT_TRUE(Edit(request, &first).ok());
  ASSERT_TRUE(Edit(request, &second).ok());
  EXPECT_TRUE(second.result().replayed());
  EXPECT_EQ(first.result().outputs(0).image().data(), second.result().outputs(0).image().data());
  request.clear_mask();
  EXPECT_EQ(Edit(request).code(), absl::StatusCode::kAlreadyExists);
}

// As the browser shows it: the mask is of the upright photo.
TEST_F(MaskTest, ATurnedPhotoWantsATurnedMask) {
  Start();
  EditRequest request = MaskedRequest();
  const std::string exif = std::string("Exif\0\0", 6) + testing::ExifOrientation(6, false);
  request.mutable_image()->set_data(
      testing::WithJpegMarker(testing::MakeJpeg({.width = 40, .height = 24}), 0xE1, exif));
  request.mutable_mask()->set_data(Png(MaskOf(40, 24)));
  EXPECT_THAT(Refusal(request), HasSubstr("mask is 40x24; wants the size of the photo, upright 24x40"));
  request.mutable_mask()->set_data(Png(MaskOf(24, 40)));
  EditResponse response;
  ASSERT_TRUE(Edit(request, &response).ok());
  EXPECT_EQ(response.result().outputs(0).image().width(), 24);
}

}  // namespace
}  // namespace ip2p::edit_server
