// The size rules of an edit: the reference's (fit to a resolution) and ours (keep the photo's own size).
#pragma once

#include "absl/status/statusor.h"
#include "common/image/image.h"
#include "common/image/resize.h"

namespace ip2p {

constexpr int kSizeStep = 64;  // sides of what a model sees are multiples of this

// f = resolution / max(w, h); f = ceil(min(w, h) f / 64) * 64 / min(w, h); each side floor(side f / 64) * 64,
// in the reference's floating point. The short side is at least 64, so a long strip would grow without bound:
// INVALID_ARGUMENT when a side would exceed 4 * resolution (nearly all aspect ratios up to 16:1 at 512 and
// 4:1 at 128 pass).
absl::StatusOr<ImageSize> ReferenceSize(ImageSize photo, int resolution);

// The photo at ReferenceSize, equal byte for byte to Pillow's ImageOps.fit(photo, size, LANCZOS): centre crop
// to the aspect, Lanczos. Errors: INVALID_ARGUMENT.
absl::StatusOr<Image> FitReference(const Image& photo, int resolution);
// The same to any size.
absl::StatusOr<Image> FitImage(const Image& photo, ImageSize size);

// Resolution 0: sides rounded up to a multiple, the new right and bottom pixels repeat the edge. Crop back
// with CropTopLeft(edited, {photo.width, photo.height}).
Image PadToMultiple(const Image& photo, int multiple = kSizeStep);
// The top left part; a size larger than the image is cut to it.
Image CropTopLeft(const Image& image, ImageSize size);

}  // namespace ip2p
