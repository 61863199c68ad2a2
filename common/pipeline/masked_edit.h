// An edit that keeps the rest of the photo: how the photo lies in what is denoised, and how the two are put
// together at the photo's own size. No torch here; nothing waits: the picture's codec thread does it, so that
// the engine's thread goes on denoising.
#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/image/image.h"
#include "common/image/mask.h"
#include "common/image/resize.h"
#include "common/pipeline/edit_types.h"

namespace ip2p {

// What is denoised for a photo, px.
struct DenoisedSize {
  ImageSize canvas;  // multiples of 64
  ImageSize photo;  // its top left part, which is the picture: all, or with resolution 0 the photo's own size
};
// The reference's size rule. INVALID_ARGUMENT as ReferenceSize.
absl::StatusOr<DenoisedSize> DenoisedSizeOf(ImageSize photo, int resolution);

// The photo as it is denoised. A masked edit sees all of it, squeezed by less than 64 px to the size that the
// reference crops to, since the mask may touch what would be cropped. INVALID_ARGUMENT as FitImage.
absl::StatusOr<Image> DenoisedPhoto(const Image& photo, const EditParams& params, const DenoisedSize& size);

// The mask in latent cells of `downscale` px of the canvas: a cell may change when any pixel in it may. Not
// one more, so that the edit meets the photo where the decoder mixes cells.
Mask LatentMask(const Mask& mask, const DenoisedSize& size, int downscale);

// Puts the photo's own pixels around what a masked edit made, in each output, and makes its auto mask of the
// relevance; any other edit is left as it is. `photo` is what was submitted, `result` what came of it. Takes
// about 12 bytes of memory a pixel of the photo while it runs. Errors: INTERNAL (they do not belong
// together).
absl::Status KeepTheRest(const Image& photo, EditResult& result);

}  // namespace ip2p
