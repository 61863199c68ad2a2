// What CLIP says of edits: the two axes of the curve of Brooks et al. (section 4.1) and how near an edit
// is to the picture and the caption that it should have become. No torch in this header.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "common/checkpoint/clip_source.h"
#include "common/image/image.h"

namespace ip2p {

// The range in which pictures reach CLIP's normalisation. It wants 0..1; the reference's
// metrics/compute_metrics.py passes the pipeline's -1..1, so its published figures are of that.
enum class ClipInput { kStandard, kReference };

const char* ClipInputName(ClipInput input);  // "standard", "reference"
// INVALID_ARGUMENT: "clip_input is \"foo\"; wants standard or reference".
absl::StatusOr<ClipInput> ParseClipInput(std::string_view name);

// A photo and what its edit should give.
struct EditSubject {
  Image before;
  Image target;         // without pixels: unknown
  std::string caption;  // of `before`; empty: unknown
  std::string output;   // of `target`; empty: unknown
};

// Cosines, -1..1.
struct EditScores {
  double clip_image = 0;                 // photo and edit
  std::optional<double> clip_direction;  // change of the pictures and change of the captions
  std::optional<double> clip_caption;    // photo and its caption: says how well CLIP knows the captions
  std::optional<double> clip_t;          // edit and the caption it should have
  std::optional<double> clip_i;          // edit and target
};

class EditScorer {
 public:
  // Loads the weights. `device` is "cpu" or "cuda:N". Errors: those of LoadClip; INVALID_ARGUMENT (device).
  static absl::StatusOr<std::unique_ptr<EditScorer>> Create(const ClipSource& clip, const std::string& device,
                                                            ClipInput input);
  virtual ~EditScorer() = default;

  // Scores of each of several edits of one photo, in float32. One thread at a time. Errors:
  // RESOURCE_EXHAUSTED (memory), INTERNAL.
  virtual absl::StatusOr<std::vector<EditScores>> Score(const EditSubject& subject,
                                                        std::span<const Image> edits) = 0;
};

}  // namespace ip2p
