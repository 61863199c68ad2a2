// ValidateEdit: every limit of an edit in one place, for the server, the client and the engine alike.
#include <cmath>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/base/limits.h"
#include "common/base/utf8.h"
#include "common/pipeline/edit_engine.h"

namespace ip2p {
namespace {

class Faults {
 public:
  void Text(const char* name, const std::string& text) {
    if (text.size() > kMaxTextBytes) {
      Add(absl::StrFormat("%s is %d bytes; wants at most %d", name, text.size(), kMaxTextBytes));
    } else if (text.find('\0') != std::string::npos) {
      Add(absl::StrCat(name, " holds a NUL byte; wants UTF-8 text without one"));
    } else if (!IsValidUtf8(text)) {
      Add(absl::StrCat(name, " is not UTF-8; wants UTF-8 text"));
    }
  }
  void Whole(const char* name, int64_t value, int64_t low, int64_t high) {
    if (value < low || value > high) Add(absl::StrFormat("%s is %d; wants %d..%d", name, value, low, high));
  }
  void Scale(const char* name, double value) {
    if (!std::isfinite(value) || value < 0 || value > kMaxGuidance) {
      Add(absl::StrFormat("%s is %g; wants a finite number in 0..%g", name, value, kMaxGuidance));
    }
  }
  void Add(std::string fault) { faults_.push_back(std::move(fault)); }
  absl::Status status() const {
    return faults_.empty() ? absl::OkStatus() : absl::InvalidArgumentError(absl::StrJoin(faults_, "; "));
  }

 private:
  std::vector<std::string> faults_;
};

}  // namespace

absl::Status ValidateEdit(const EditParams& params, const Image& input) {
  Faults faults;
  faults.Text("instruction", params.instruction);
  faults.Text("negative", params.negative);
  faults.Whole("steps", params.steps, 1, kMaxSteps);
  if (params.resolution != 0 &&
      (params.resolution < 64 || params.resolution > kMaxResolution || params.resolution % 64 != 0)) {
    faults.Add(
        absl::StrFormat("resolution is %d; wants a multiple of 64 in 64..%d, or 0 for the photo's own size",
                        params.resolution, kMaxResolution));
  }
  faults.Scale("cfg_text", params.cfg_text);
  faults.Scale("cfg_image", params.cfg_image);
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
