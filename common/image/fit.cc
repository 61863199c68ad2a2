// The reference's arithmetic, step by step in double as Python does it.
#include "common/image/fit.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"

namespace ip2p {
namespace {

constexpr int kMaxGrowth = 4;

Box CenterBox(ImageSize photo, ImageSize size) {
  const double width = photo.width;
  const double height = photo.height;
  const double photo_ratio = width / height;
  const double wanted_ratio = static_cast<double>(size.width) / size.height;
  double crop_width = width;
  double crop_height = height;
  if (photo_ratio > wanted_ratio) {
    crop_width = wanted_ratio * height;
  } else if (photo_ratio < wanted_ratio) {
    crop_height = width / wanted_ratio;
  }
  const double left = (width - crop_width) * 0.5;
  const double top = (height - crop_height) * 0.5;
  return {static_cast<float>(left), static_cast<float>(top), static_cast<float>(left + crop_width),
          static_cast<float>(top + crop_height)};
}

}  // namespace

absl::StatusOr<ImageSize> ReferenceSize(ImageSize photo, int resolution) {
  if (photo.width < 1 || photo.height < 1 || resolution < kSizeStep) {
    return absl::InvalidArgumentError(
        absl::StrCat("image is ", photo.width, "x", photo.height, " px and resolution ", resolution,
                     "; wants pixels and a resolution of at least ", kSizeStep));
  }
  const double shorter = std::min(photo.width, photo.height);
  const double longer = std::max(photo.width, photo.height);
  double factor = resolution / longer;
  factor = std::ceil(shorter * factor / kSizeStep) * kSizeStep / shorter;
  // Rounding may leave the short side a hair under 64, where the reference ends with an empty picture.
  const auto side = [factor](int length) {
    return std::max(static_cast<int64_t>(std::floor(length * factor / kSizeStep)), int64_t{1}) * kSizeStep;
  };
  const int64_t width = side(photo.width);
  const int64_t height = side(photo.height);
  if (std::max(width, height) > int64_t{kMaxGrowth} * resolution) {
    return absl::InvalidArgumentError(absl::StrCat(
        "image is ", photo.width, "x", photo.height, " px, ", width, "x", height, " at resolution ",
        resolution, "; wants sides nearer to each other, at most ", kMaxGrowth * resolution, " px then"));
  }
  return ImageSize{static_cast<int>(width), static_cast<int>(height)};
}

absl::StatusOr<Image> FitImage(const Image& photo, ImageSize size) {
  if (photo.width < 1 || photo.height < 1 || size.width < 1 || size.height < 1) {
    return absl::InvalidArgumentError("image or size is empty; wants pixels");
  }
  return ResizeLanczos(photo, size, CenterBox({photo.width, photo.height}, size));
}

absl::StatusOr<Image> FitReference(const Image& photo, int resolution) {
  IP2P_ASSIGN_OR_RETURN(const ImageSize size, ReferenceSize({photo.width, photo.height}, resolution));
  return FitImage(photo, size);
}

Image PadToMultiple(const Image& photo, int multiple) {
  const auto up = [multiple](int side) { return (side + multiple - 1) / multiple * multiple; };
  Image out{up(photo.width), up(photo.height), {}};
  if (photo.width < 1 || photo.height < 1) return Image{};
  out.pixels.resize(static_cast<size_t>(out.width) * out.height * 3);
  for (int y = 0; y < out.height; ++y) {
    const uint8_t* from = &photo.pixels[static_cast<size_t>(std::min(y, photo.height - 1)) * photo.width * 3];
    uint8_t* to = &out.pixels[static_cast<size_t>(y) * out.width * 3];
    std::memcpy(to, from, static_cast<size_t>(photo.width) * 3);
    for (int x = photo.width; x < out.width; ++x) {
      std::memcpy(to + static_cast<size_t>(x) * 3, from + static_cast<size_t>(photo.width - 1) * 3, 3);
    }
  }
  return out;
}

Image CropTopLeft(const Image& image, ImageSize size) {
  Image out{std::clamp(size.width, 0, image.width), std::clamp(size.height, 0, image.height), {}};
  const size_t stride = static_cast<size_t>(out.width) * 3;
  out.pixels.resize(stride * out.height);
  if (out.pixels.empty()) return out;
  for (int y = 0; y < out.height; ++y) {
    std::memcpy(&out.pixels[stride * y], &image.pixels[static_cast<size_t>(y) * image.width * 3], stride);
  }
  return out;
}

}  // namespace ip2p
