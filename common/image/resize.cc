// Separable resampling with the kernel stretched to the scale (so it also filters when it shrinks), in the
// arithmetic of Pillow: weights in double, normalised, rounded to 22 fractional bits; sums in 32 bits,
// shifted and clamped.
#include "common/image/resize.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace ip2p {
namespace {

constexpr int kFractionBits = 32 - 8 - 2;  // 8 for the value, 2 since kernels overshoot
constexpr int32_t kHalf = 1 << (kFractionBits - 1);
constexpr double kLobes = 3.0;

double Sinc(double x) {
  if (x == 0.0) return 1.0;
  x *= std::numbers::pi;
  return std::sin(x) / x;
}

double Lanczos(double x) { return -kLobes <= x && x < kLobes ? Sinc(x) * Sinc(x / kLobes) : 0.0; }

double Bicubic(double x) {
  constexpr double kA = -0.5;
  x = std::abs(x);
  if (x < 1.0) return ((kA + 2.0) * x - (kA + 3.0)) * x * x + 1;
  return x < 2.0 ? (((x - 5) * x + 8) * x - 4) * kA : 0.0;
}

struct Kernel {
  double support;  // zero beyond, in samples
  double (*weight)(double);
};
constexpr Kernel kLanczos = {kLobes, &Lanczos};
constexpr Kernel kBicubic = {2.0, &Bicubic};

uint8_t Clamp(int32_t sum) { return static_cast<uint8_t>(std::clamp(sum >> kFractionBits, 0, 255)); }

// Which source samples make one output sample, and their weights.
struct Taps {
  int first = 0;
  int count = 0;
  const int32_t* weights = nullptr;
};

class Axis {
 public:
  Axis(const Kernel& kernel, int in_size, float in0, float in1, int out_size) {
    const double scale = static_cast<double>(in1 - in0) / out_size;
    const double stretch = std::max(scale, 1.0);
    const double support = kernel.support * stretch;
    const size_t stride = static_cast<size_t>(std::ceil(support)) * 2 + 1;
    weights_.assign(stride * out_size, 0);
    taps_.resize(out_size);
    std::vector<double> exact(stride);
    for (int i = 0; i < out_size; ++i) {
      const double center = in0 + (i + 0.5) * scale;
      const int first = std::max(static_cast<int>(center - support + 0.5), 0);
      const int end = std::min(static_cast<int>(center + support + 0.5), in_size);
      const int count = std::max(end - first, 0);
      double total = 0.0;
      for (int k = 0; k < count; ++k) {
        exact[k] = kernel.weight((k + first - center + 0.5) * (1.0 / stretch));
        total += exact[k];
      }
      int32_t* weights = &weights_[stride * i];
      for (int k = 0; k < count; ++k) {
        const double share = (total != 0.0 ? exact[k] / total : exact[k]) * (1 << kFractionBits);
        weights[k] = static_cast<int32_t>(share < 0 ? share - 0.5 : share + 0.5);
      }
      taps_[i] = {first, count, weights};
    }
  }

  const Taps& operator[](int i) const { return taps_[i]; }
  int size() const { return static_cast<int>(taps_.size()); }
  int first() const { return taps_.front().first; }
  int end() const { return taps_.back().first + taps_.back().count; }

 private:
  std::vector<int32_t> weights_;
  std::vector<Taps> taps_;
};

// Rows [first, end) of the image, resampled along x.
Image Horizontal(const Image& image, const Axis& axis, int first, int end) {
  Image out{axis.size(), end - first, {}};
  out.pixels.resize(static_cast<size_t>(out.width) * out.height * 3);
  uint8_t* to = out.pixels.data();
  for (int y = first; y < end; ++y) {
    const uint8_t* row = image.pixels.data() + static_cast<size_t>(y) * image.width * 3;
    for (int x = 0; x < out.width; ++x, to += 3) {
      const Taps& taps = axis[x];
      const uint8_t* from = row + static_cast<size_t>(taps.first) * 3;
      int32_t sums[3] = {kHalf, kHalf, kHalf};
      for (int k = 0; k < taps.count; ++k, from += 3) {
        for (int c = 0; c < 3; ++c) sums[c] += from[c] * taps.weights[k];
      }
      for (int c = 0; c < 3; ++c) to[c] = Clamp(sums[c]);
    }
  }
  return out;
}

// `image` starts at row `first` of what the axis was made for.
Image Vertical(const Image& image, const Axis& axis, int first) {
  Image out{image.width, axis.size(), {}};
  const size_t stride = static_cast<size_t>(image.width) * 3;
  out.pixels.resize(stride * out.height);
  std::vector<int32_t> sums(stride);
  for (int y = 0; y < out.height; ++y) {
    const Taps& taps = axis[y];
    std::fill(sums.begin(), sums.end(), kHalf);
    for (int k = 0; k < taps.count; ++k) {
      const uint8_t* from = image.pixels.data() + stride * (taps.first - first + k);
      for (size_t i = 0; i < stride; ++i) sums[i] += from[i] * taps.weights[k];
    }
    uint8_t* to = out.pixels.data() + stride * y;
    for (size_t i = 0; i < stride; ++i) to[i] = Clamp(sums[i]);
  }
  return out;
}

// The order of the passes shows in the rounding. Pillow 13 starts with the rows when that drops many more of
// them than columns; versions before always start with the columns.
bool VerticalFirst(const Image& image, ImageSize size) {
  return size.height < image.height && image.height - size.height > 2 * (image.width - size.width);
}

absl::StatusOr<Image> Resize(const Kernel& kernel, const Image& image, ImageSize size, const Box& box) {
  if (size.width < 1 || size.height < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("size is ", size.width, "x", size.height, " px; wants at least 1x1"));
  }
  const float width = static_cast<float>(image.width);
  const float height = static_cast<float>(image.height);
  if (!(box.left >= 0 && box.top >= 0 && box.right <= width && box.bottom <= height && box.left < box.right &&
        box.top < box.bottom)) {
    return absl::InvalidArgumentError(absl::StrCat("box is ", box.left, ",", box.top, " to ", box.right, ",",
                                                   box.bottom, "; wants one inside of ", image.width, "x",
                                                   image.height));
  }
  const bool horizontal = size.width != image.width || box.left != 0 || box.right != width;
  const bool vertical = size.height != image.height || box.top != 0 || box.bottom != height;
  if (!horizontal && !vertical) return image;
  if (!vertical)
    return Horizontal(image, Axis(kernel, image.width, box.left, box.right, size.width), 0, image.height);
  const Axis rows(kernel, image.height, box.top, box.bottom, size.height);
  if (!horizontal) return Vertical(image, rows, 0);
  const Axis columns(kernel, image.width, box.left, box.right, size.width);
  if (VerticalFirst(image, size)) return Horizontal(Vertical(image, rows, 0), columns, 0, size.height);
  return Vertical(Horizontal(image, columns, rows.first(), rows.end()), rows, rows.first());
}

Box Whole(const Image& image) {
  return {0, 0, static_cast<float>(image.width), static_cast<float>(image.height)};
}

}  // namespace

absl::StatusOr<Image> ResizeLanczos(const Image& image, ImageSize size, const Box& box) {
  return Resize(kLanczos, image, size, box);
}

absl::StatusOr<Image> ResizeLanczos(const Image& image, ImageSize size) {
  return Resize(kLanczos, image, size, Whole(image));
}

absl::StatusOr<Image> ResizeBicubic(const Image& image, ImageSize size) {
  return Resize(kBicubic, image, size, Whole(image));
}

}  // namespace ip2p
