#include "common/shapes/backdrop_fit.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "common/shapes/backdrop.h"

namespace ip2p::shapes {
namespace {

constexpr float kNear = 13;        // Delta E; objects differ by over 30
constexpr float kMostOffset = 11;  // per axis of CIELAB
constexpr int kStride = 2;         // every fourth pixel tells enough

Lab operator-(const Lab& one, const Lab& other) {
  return {one.l - other.l, one.a - other.a, one.b - other.b};
}
float Length(const Lab& lab) { return Difference(lab, {}); }

// A background as it is drawn, row by row.
std::vector<Lab> RowsOf(Background background, int height) {
  std::vector<Lab> rows;
  rows.reserve(static_cast<size_t>(height));
  for (int y = 0; y < height; ++y) rows.push_back(LabOf(BackdropColor(background, (y + 0.5) / height)));
  return rows;
}

struct Trial {
  double score = 0;  // 0..1: pixels that agree, each by how well
  double near = 0;
  Lab offset;
};

// The offset is found by mean shift: the mean of what is near, nearer each time.
Trial Try(const PixelPlanes& picture, Background background) {
  const std::vector<Lab> rows = RowsOf(background, picture.height);
  Trial trial;
  for (const float radius : {28.0F, 20.0F, 14.0F, kNear}) {
    double sums[3] = {0, 0, 0};
    double score = 0;
    int near = 0, all = 0;
    for (int y = 0; y < picture.height; y += kStride) {
      const Lab* const row = picture.lab.data() + static_cast<size_t>(y) * picture.width;
      for (int x = 0; x < picture.width; x += kStride) {
        const Lab away = row[x] - rows[static_cast<size_t>(y)];
        const float distance = Length(away - trial.offset);
        ++all;
        if (distance >= radius) continue;
        ++near;
        score += 1 - (distance / radius) * (distance / radius);
        sums[0] += away.l;
        sums[1] += away.a;
        sums[2] += away.b;
      }
    }
    trial.near = static_cast<double>(near) / all;
    trial.score = score / all;
    if (near == 0 || radius == kNear) break;
    const auto mean = [near](double sum) {
      return std::clamp(static_cast<float>(sum / near), -kMostOffset, kMostOffset);
    };
    trial.offset = {mean(sums[0]), mean(sums[1]), mean(sums[2])};
  }
  // A background that fits as it is drawn beats one that has to be shifted.
  trial.score *= 1 - 0.02 * Length(trial.offset);
  return trial;
}

// What the fit adds to the drawn background: a smooth function for each of six channels.
constexpr size_t kTerms = 5;
constexpr size_t kChannels = 6;
using Terms = std::array<double, kTerms>;
using Channels = std::array<double, kChannels>;

Terms TermsAt(double x, double y) { return {1, x, y, y * y, y * y * y}; }

// Normal equations of least squares for all channels at once.
struct Normal {
  std::array<Terms, kTerms> matrix{};
  std::array<Channels, kTerms> right{};

  void Add(const Terms& terms, const Channels& values) {
    for (size_t i = 0; i < kTerms; ++i) {
      for (size_t j = 0; j < kTerms; ++j) matrix[i][j] += terms[i] * terms[j];
      for (size_t c = 0; c < kChannels; ++c) right[i][c] += terms[i] * values[c];
    }
  }
  // Gauss and Jordan, with a ridge that keeps an axis without pixels at 0.
  std::array<Channels, kTerms> Solve() {
    for (size_t i = 0; i < kTerms; ++i) matrix[i][i] += 1;
    for (size_t pivot = 0; pivot < kTerms; ++pivot) {
      for (size_t row = 0; row < kTerms; ++row) {
        if (row == pivot) continue;
        const double factor = matrix[row][pivot] / matrix[pivot][pivot];
        for (size_t j = 0; j < kTerms; ++j) matrix[row][j] -= factor * matrix[pivot][j];
        for (size_t c = 0; c < kChannels; ++c) right[row][c] -= factor * right[pivot][c];
      }
    }
    for (size_t row = 0; row < kTerms; ++row) {
      for (double& value : right[row]) value /= matrix[row][row];
    }
    return right;
  }
};

class Fitter {
 public:
  Fitter(const PixelPlanes& picture, Background background)
      : picture_(picture), background_(background), rows_(RowsOf(background, picture.height)) {}

  void StartAt(const Lab& offset) { solution_[0] = {0, 0, 0, offset.l, offset.a, offset.b}; }

  // Once more, from the pixels that are within `radius` of the last fit.
  void Refine(float radius) {
    Normal normal;
    int taken = 0;
    for (int y = 0; y < picture_.height; y += kStride) {
      for (int x = 0; x < picture_.width; x += kStride) {
        const size_t at = static_cast<size_t>(y) * picture_.width + x;
        const Terms terms = TermsOf(x, y);
        const Channels more = More(terms);
        const Lab away = picture_.lab[at] - rows_[static_cast<size_t>(y)];
        const Lab left = {away.l - static_cast<float>(more[3]), away.a - static_cast<float>(more[4]),
                          away.b - static_cast<float>(more[5])};
        if (Length(left) >= radius) continue;
        const Rgb drawn = Drawn(y);
        const Rgb& rgb = picture_.rgb[at];
        normal.Add(terms, {rgb.r - drawn.r, rgb.g - drawn.g, rgb.b - drawn.b, away.l, away.a, away.b});
        ++taken;
      }
    }
    if (taken * 5 * kStride * kStride > static_cast<int>(picture_.size())) solution_ = normal.Solve();
  }

  void Fill(BackdropFit& fit) const {
    fit.rgb.reserve(picture_.size());
    fit.away.reserve(picture_.size());
    for (int y = 0; y < picture_.height; ++y) {
      const Rgb drawn = Drawn(y);
      for (int x = 0; x < picture_.width; ++x) {
        const Channels more = More(TermsOf(x, y));
        const Lab& base = rows_[static_cast<size_t>(y)];
        fit.rgb.push_back({drawn.r + static_cast<float>(more[0]), drawn.g + static_cast<float>(more[1]),
                           drawn.b + static_cast<float>(more[2])});
        const Lab expected = {base.l + static_cast<float>(more[3]), base.a + static_cast<float>(more[4]),
                              base.b + static_cast<float>(more[5])};
        fit.away.push_back(Difference(picture_.lab[fit.away.size()], expected));
      }
    }
  }

 private:
  Terms TermsOf(int x, int y) const {
    return TermsAt(2 * (x + 0.5) / picture_.width - 1, 2 * (y + 0.5) / picture_.height - 1);
  }
  Channels More(const Terms& terms) const {
    Channels more{};
    for (size_t i = 0; i < kTerms; ++i) {
      for (size_t c = 0; c < kChannels; ++c) more[c] += terms[i] * solution_[i][c];
    }
    return more;
  }
  Rgb Drawn(int y) const { return BackdropColor(background_, (y + 0.5) / picture_.height); }

  const PixelPlanes& picture_;
  const Background background_;
  const std::vector<Lab> rows_;
  std::array<Channels, kTerms> solution_{};
};

}  // namespace

BackdropFit FitBackdrop(const PixelPlanes& picture) {
  BackdropFit fit;
  Trial best, second;
  for (int background = 0; background < kBackgrounds; ++background) {
    Trial trial = Try(picture, static_cast<Background>(background));
    if (trial.score > best.score) {
      fit.background = static_cast<Background>(background);
      std::swap(best, trial);
    }
    if (trial.score > second.score) second = trial;
  }
  fit.near = best.near;
  fit.offset = Length(best.offset);
  fit.lead = best.score - second.score;
  Fitter fitter(picture, fit.background);
  fitter.StartAt(best.offset);
  fitter.Refine(kNear);
  fitter.Refine(kNear);
  fitter.Fill(fit);
  std::vector<float> background;
  for (const float away : fit.away) {
    if (away < kNear) background.push_back(away);
  }
  if (!background.empty()) {
    const auto middle = background.begin() + static_cast<std::ptrdiff_t>(background.size() / 2);
    std::nth_element(background.begin(), middle, background.end());
    fit.spread = *middle;
  }
  return fit;
}

}  // namespace ip2p::shapes
