#include "common/evaluation/figures.h"

#include <cmath>
#include <cstdlib>

#include "absl/strings/str_format.h"

namespace ip2p {

absl::StatusOr<Figures> FiguresOf(const EditScores& scores, const Image& edit, const Image& target) {
  Figures figures;
  At(figures, Metric::kClipDirection) = scores.clip_direction;
  At(figures, Metric::kClipImage) = scores.clip_image;
  At(figures, Metric::kClipCaption) = scores.clip_caption;
  At(figures, Metric::kClipT) = scores.clip_t;
  At(figures, Metric::kClipI) = scores.clip_i;
  for (const std::optional<double>& figure : figures) {
    if (figure.has_value() && !std::isfinite(*figure))
      return absl::InternalError(
          absl::StrFormat("CLIP scores an edit with %g; wants a finite number", *figure));
  }
  if (target.pixels.empty()) return figures;
  if (edit.width != target.width || edit.height != target.height ||
      edit.pixels.size() != target.pixels.size()) {
    return absl::InternalError(absl::StrFormat("an edit is %dx%d; wants its target's %dx%d", edit.width,
                                               edit.height, target.width, target.height));
  }
  int64_t absolute = 0, squared = 0;  // exact: at most 2^16 a value
  for (size_t i = 0; i < edit.pixels.size(); ++i) {
    const int64_t difference = int64_t{edit.pixels[i]} - target.pixels[i];
    absolute += std::abs(difference);
    squared += difference * difference;
  }
  const auto values = static_cast<double>(edit.pixels.size());
  At(figures, Metric::kL1) = static_cast<double>(absolute) / (values * 255);
  At(figures, Metric::kL2) = static_cast<double>(squared) / (values * 255 * 255);
  return figures;
}

}  // namespace ip2p
