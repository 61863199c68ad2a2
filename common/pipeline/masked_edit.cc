// See the header.
#include "common/pipeline/masked_edit.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "common/base/status_macros.h"
#include "common/image/fit.h"

namespace ip2p {
namespace {

// First and one past the last of `from` pixels that cell `i` of `cell` px covers on a side of `to` px. Beyond
// the side (padding) the last pixel stands, as it does in the padded photo.
std::pair<int, int> Covered(int i, int cell, int from, int to) {
  const int64_t low = int64_t{i} * cell * from / to;
  const int64_t high = ((int64_t{i} + 1) * cell * from + to - 1) / to;
  return {static_cast<int>(std::min<int64_t>(low, from - 1)),
          static_cast<int>(std::min<int64_t>(high, from))};
}

// The contour of the relevance at the threshold, smooth between cells. Without cells nothing was relevant.
absl::StatusOr<Mask> AutoMask(const Mask& relevance, double threshold, ImageSize photo,
                              const DenoisedSize& size) {
  Mask mask{photo.width, photo.height, std::vector<uint8_t>(static_cast<size_t>(photo.width) * photo.height)};
  if (relevance.values.empty()) return mask;
  Image cells{relevance.width, relevance.height, {}};
  cells.pixels.reserve(relevance.values.size() * 3);
  for (const uint8_t value : relevance.values) cells.pixels.insert(cells.pixels.end(), 3, value);
  const Box shown{0, 0, static_cast<float>(relevance.width) * size.photo.width / size.canvas.width,
                  static_cast<float>(relevance.height) * size.photo.height / size.canvas.height};
  IP2P_ASSIGN_OR_RETURN(const Image smooth, ResizeLanczos(cells, photo, shown));
  const double least = threshold * 255;
  for (size_t i = 0; i < mask.values.size(); ++i) mask.values[i] = smooth.pixels[3 * i] >= least ? 255 : 0;
  return mask;
}

}  // namespace

absl::StatusOr<DenoisedSize> DenoisedSizeOf(ImageSize photo, int resolution) {
  if (resolution == 0) {
    const auto up = [](int side) { return (side + kSizeStep - 1) / kSizeStep * kSizeStep; };
    return DenoisedSize{{up(photo.width), up(photo.height)}, photo};
  }
  IP2P_ASSIGN_OR_RETURN(const ImageSize fitted, ReferenceSize(photo, resolution));
  return DenoisedSize{fitted, fitted};
}

absl::StatusOr<Image> DenoisedPhoto(const Image& photo, const EditParams& params, const DenoisedSize& size) {
  if (params.resolution == 0) return PadToMultiple(photo);
  return KeepsTheRest(params) ? ResizeLanczos(photo, size.canvas) : FitImage(photo, size.canvas);
}

Mask LatentMask(const Mask& mask, const DenoisedSize& size, int downscale) {
  Mask cells{size.canvas.width / downscale, size.canvas.height / downscale, {}};
  cells.values.resize(static_cast<size_t>(cells.width) * cells.height);
  for (int i = 0; i < cells.height; ++i) {
    const auto [top, bottom] = Covered(i, downscale, mask.height, size.photo.height);
    for (int j = 0; j < cells.width; ++j) {
      const auto [left, right] = Covered(j, downscale, mask.width, size.photo.width);
      uint8_t& cell = cells.values[static_cast<size_t>(i) * cells.width + j];
      for (int y = top; y < bottom && cell == 0; ++y) {
        const uint8_t* row = &mask.values[static_cast<size_t>(y) * mask.width];
        cell = *std::max_element(row + left, row + right);
      }
    }
  }
  return cells;
}

absl::Status KeepTheRest(const Image& photo, EditResult& result) {
  const EditParams& params = result.params;
  if (!KeepsTheRest(params)) return absl::OkStatus();
  const ImageSize size{photo.width, photo.height};
  if (params.mask != nullptr && (params.mask->width != size.width || params.mask->height != size.height)) {
    return absl::InternalError("the mask is not of the photo's size; wants the mask of this photo");
  }
  IP2P_ASSIGN_OR_RETURN(const DenoisedSize denoised, DenoisedSizeOf(size, params.resolution));
  Mask share;
  if (params.mask != nullptr) share = FeatherInwards(*params.mask, params.mask_feather);
  for (EditOutput& output : result.outputs) {
    if (params.auto_mask) {
      IP2P_ASSIGN_OR_RETURN(output.mask, AutoMask(output.mask, *params.auto_mask, size, denoised));
      share = FeatherInwards(output.mask, params.mask_feather);
    }
    if (output.image.width != size.width || output.image.height != size.height) {
      IP2P_ASSIGN_OR_RETURN(output.image, ResizeLanczos(output.image, size));
    }
    output.image = Composite(photo, std::move(output.image), share);
  }
  return absl::OkStatus();
}

}  // namespace ip2p
