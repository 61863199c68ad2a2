// ValidateEdit: every limit of an edit in one place, for the server, the client and the engine alike.
#include "absl/strings/str_format.h"
#include "common/base/field_faults.h"
#include "common/base/limits.h"
#include "common/pipeline/edit_engine.h"

namespace ip2p {
namespace {

void CheckMask(const EditParams& params, const Image& input, FieldFaults& faults) {
  const Mask& mask = *params.mask;
  if (mask.width != input.width || mask.height != input.height) {
    faults.Add(absl::StrFormat("mask is %dx%d; wants the size of the photo, upright %dx%d", mask.width,
                               mask.height, input.width, input.height));
  } else if (!EditsAnything(mask)) {
    faults.Add("mask is black everywhere; wants white where the photo is to be edited");
  }
  if (params.auto_mask) faults.Add("mask and auto_mask are both given; wants one of them");
}

}  // namespace

absl::Status ValidateEdit(const EditParams& params, const Image& input) {
  FieldFaults faults;
  faults.Text("instruction", params.instruction);
  faults.Text("negative", params.negative);
  faults.Whole("steps", params.steps, 1, kMaxSteps);
  if (params.resolution != 0 && params.resolution != kNativeResolution &&
      (params.resolution < 64 || params.resolution > kMaxResolution || params.resolution % 64 != 0)) {
    faults.Add(
        absl::StrFormat("resolution is %d; wants a multiple of 64 in 64..%d, or 0 for the photo's own size",
                        params.resolution, kMaxResolution));
  }
  faults.Number("cfg_text", params.cfg_text, 0, kMaxGuidance);
  faults.Number("cfg_image", params.cfg_image, 0, kMaxGuidance);
  faults.Whole("count", params.count, 1, kMaxCount);
  faults.Whole("preview_every", params.preview_every, 0, kMaxPreviewEvery);
  faults.Whole("mask_feather", params.mask_feather, 0, kMaxMaskFeather);
  if (params.auto_mask) faults.Number("auto_mask", *params.auto_mask, 0, 1);
  if (params.mask != nullptr) CheckMask(params, input, faults);
  if (input.width < 1 || input.height < 1 ||
      input.pixels.size() != static_cast<size_t>(input.width) * input.height * 3) {
    faults.Add(absl::StrFormat("image is %dx%d with %d bytes; wants at least one pixel of 3 bytes",
                               input.width, input.height, input.pixels.size()));
  }
  return faults.status();
}

}  // namespace ip2p
