// The figures of one edit, and averages of them. Pure functions.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "absl/status/statusor.h"
#include "common/image/image.h"
#include "common/pipeline/edit_scorer.h"

namespace ip2p {

// Names are those of files and columns (FORMAT.md). Cosines by CLIP as edit_scorer.h has them; l1 and l2 are
// the mean absolute and the mean squared difference of edit and target, pixels in 0..1.
enum class Metric { kClipDirection, kClipImage, kClipCaption, kClipT, kClipI, kL1, kL2 };
inline constexpr std::array<const char*, 7> kMetricNames = {
    "clip_direction", "clip_image", "clip_caption", "clip_t", "clip_i", "l1", "l2"};

// By Metric; absent where the sample lacks what it takes.
using Figures = std::array<std::optional<double>, kMetricNames.size()>;

inline std::optional<double>& At(Figures& figures, Metric metric) {
  return figures[static_cast<size_t>(metric)];
}
inline const std::optional<double>& At(const Figures& figures, Metric metric) {
  return figures[static_cast<size_t>(metric)];
}

// A target without pixels is unknown. INTERNAL: edit and target differ in size, or a score
// is not finite.
absl::StatusOr<Figures> FiguresOf(const EditScores& scores, const Image& edit, const Image& target);

// A mean that grows. Of nothing it is absent.
class Mean {
 public:
  void Add(const std::optional<double>& value) {
    if (!value.has_value()) return;
    sum_ += *value;
    ++count_;
  }
  int64_t count() const { return count_; }
  std::optional<double> value() const {
    if (count_ == 0) return std::nullopt;
    return sum_ / static_cast<double>(count_);
  }

 private:
  double sum_ = 0;
  int64_t count_ = 0;
};

}  // namespace ip2p
