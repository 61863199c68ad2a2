// ValidateEdit: every limit of an edit in one place, for the server, the client and the engine alike.
#include "absl/strings/str_format.h"
#include "common/base/field_faults.h"
#include "common/base/limits.h"
#include "common/pipeline/edit_engine.h"

namespace ip2p {

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
  if (input.width < 1 || input.height < 1 ||
      input.pixels.size() != static_cast<size_t>(input.width) * input.height * 3) {
    faults.Add(absl::StrFormat("image is %dx%d with %d bytes; wants at least one pixel of 3 bytes",
                               input.width, input.height, input.pixels.size()));
  }
  return faults.status();
}

}  // namespace ip2p
