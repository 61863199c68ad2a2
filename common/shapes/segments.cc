#include "common/shapes/segments.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <numeric>
#include <utility>

namespace ip2p::shapes {
namespace {

// The least Delta E that stands out: well above noise and texture, at most half of what an object differs by.
constexpr double kLeastAway = 10;
constexpr double kMostAway = 14;
constexpr double kSpreads = 4;
constexpr float kCoreAway = 19;            // somewhere, an object differs by this
constexpr double kLeastShare = 0.0032;     // of the picture: half of the smallest shape
constexpr float kTwoColors = 24;           // Delta E of two colours in one piece
constexpr float kOffTheWay = 30;           // levels; a mixture with the background is nearer to it
constexpr float kOdd = 15;                 // Delta E from the median of a piece: not its colour
constexpr double kLeastColorShare = 0.14;  // of its inside, for either

template <typename T>
T Median(std::vector<T>& values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

class Segmenter {
 public:
  Segmenter(const PixelPlanes& picture, const BackdropFit& backdrop)
      : picture_(picture),
        backdrop_(backdrop),
        threshold_(static_cast<float>(std::clamp(kSpreads * backdrop.spread, kLeastAway, kMostAway))),
        least_pixels_(kLeastShare * static_cast<double>(picture.size())) {}

  Segments Find() {
    result_.owner.assign(picture_.size(), Segments::kNobody);
    std::vector<bool> open(picture_.size());
    for (size_t i = 0; i < open.size(); ++i) open[i] = backdrop_.away[i] > threshold_;
    std::vector<std::vector<int>> pieces = Connected(open, true);
    for (std::vector<int>& piece : pieces) {
      for (const int at : piece) result_.owner[static_cast<size_t>(at)] = Segments::kSpeck;
      if (static_cast<double>(piece.size()) < least_pixels_ || !HasCore(piece)) continue;
      for (std::vector<int>& part : Parted(std::move(piece))) Keep(std::move(part));
    }
    std::sort(result_.found.begin(), result_.found.end(), [](const Segment& one, const Segment& other) {
      return one.pixels.size() > other.pixels.size();
    });
    for (size_t i = 0; i < result_.found.size(); ++i) {
      for (const int at : result_.found[i].pixels) {
        result_.owner[static_cast<size_t>(at)] = static_cast<int>(i);
      }
    }
    return std::move(result_);
  }

 private:
  // Calls `visit` with each neighbour, corners included on demand.
  template <typename Visit>
  void ForNeighbours(int at, bool corners, const Visit& visit) const {
    const int x = at % picture_.width, y = at / picture_.width;
    for (int dy = -1; dy <= 1; ++dy) {
      for (int dx = -1; dx <= 1; ++dx) {
        if ((dx == 0 && dy == 0) || (!corners && dx != 0 && dy != 0)) continue;
        if (x + dx < 0 || x + dx >= picture_.width || y + dy < 0 || y + dy >= picture_.height) continue;
        visit(at + dy * picture_.width + dx);
      }
    }
  }

  // The connected pieces of what is open, which is closed on the way.
  std::vector<std::vector<int>> Connected(std::vector<bool>& open, bool corners) const {
    std::vector<std::vector<int>> pieces;
    for (size_t start = 0; start < open.size(); ++start) {
      if (!open[start]) continue;
      std::vector<int> piece = {static_cast<int>(start)};
      open[start] = false;
      for (size_t next = 0; next < piece.size(); ++next) {
        ForNeighbours(piece[next], corners, [&](int at) {
          if (!open[static_cast<size_t>(at)]) return;
          open[static_cast<size_t>(at)] = false;
          piece.push_back(at);
        });
      }
      pieces.push_back(std::move(piece));
    }
    return pieces;
  }

  bool HasCore(const std::vector<int>& piece) const {
    const auto core = [this](int at) { return backdrop_.away[static_cast<size_t>(at)] > kCoreAway; };
    return std::count_if(piece.begin(), piece.end(), core) * 4 > static_cast<std::ptrdiff_t>(piece.size());
  }

  // Without the rim, whose pixels are mixed with the background.
  std::vector<int> Inside(const std::vector<int>& piece) const {
    std::vector<bool> member(picture_.size());
    for (const int at : piece) member[static_cast<size_t>(at)] = true;
    std::vector<int> inside;
    for (const int at : piece) {
      bool whole = true;
      ForNeighbours(at, true, [&](int near) { whole = whole && member[static_cast<size_t>(near)]; });
      if (whole) inside.push_back(at);
    }
    return inside;
  }

  const Lab& LabAt(int at) const { return picture_.lab[static_cast<size_t>(at)]; }

  Lab MedianLab(const std::vector<int>& pixels) const {
    std::vector<float> l, a, b;
    for (const int at : pixels) {
      l.push_back(LabAt(at).l);
      a.push_back(LabAt(at).a);
      b.push_back(LabAt(at).b);
    }
    return {Median(l), Median(a), Median(b)};
  }

  Rgb MedianRgb(const std::vector<int>& pixels) const {
    std::vector<float> r, g, b;
    for (const int at : pixels) {
      const Rgb& rgb = picture_.rgb[static_cast<size_t>(at)];
      r.push_back(rgb.r);
      g.push_back(rgb.g);
      b.push_back(rgb.b);
    }
    return {Median(r), Median(g), Median(b)};
  }

  // Two colours in one piece: 2-means over its inside, then every pixel of the rim goes with its neighbours.
  std::vector<std::vector<int>> Parted(std::vector<int> piece) const {
    const std::vector<int> inside = Inside(piece);
    if (inside.size() * 4 < piece.size()) return {std::move(piece)};
    std::array<Lab, 2> centres;
    centres[0] = MedianLab(inside);
    const auto nearer = [&](int one, int other) {
      return Difference(LabAt(one), centres[0]) < Difference(LabAt(other), centres[0]);
    };
    centres[1] = LabAt(*std::max_element(inside.begin(), inside.end(), nearer));
    std::array<std::vector<int>, 2> sides;
    for (int round = 0; round < 4; ++round) {
      for (auto& side : sides) side.clear();
      for (const int at : inside) {
        const bool second = Difference(LabAt(at), centres[1]) < Difference(LabAt(at), centres[0]);
        sides[second ? 1 : 0].push_back(at);
      }
      if (sides[0].empty() || sides[1].empty()) return {std::move(piece)};
      for (size_t i = 0; i < 2; ++i) centres[i] = MedianLab(sides[i]);
    }
    const double least = kLeastColorShare * static_cast<double>(inside.size());
    const bool two = Difference(centres[0], centres[1]) > kTwoColors &&
                     static_cast<double>(sides[0].size()) > least &&
                     static_cast<double>(sides[1].size()) > least;
    if (!two || IsBlurred(sides[0], sides[1]) || IsBlurred(sides[1], sides[0])) return {std::move(piece)};
    return Grown(sides, piece);
  }

  // Whether the first pixels are but the second's colour mixed with the background: a soft edge.
  bool IsBlurred(const std::vector<int>& edge, const std::vector<int>& core) const {
    const Rgb behind = backdrop_.rgb[static_cast<size_t>(edge[edge.size() / 2])];
    const Rgb full = MedianRgb(core), mixed = MedianRgb(edge);
    const float share = ShareOnTheWay(mixed, behind, full);
    const Rgb expected = Mix(behind, full, share);
    const float off = std::hypot(mixed.r - expected.r, mixed.g - expected.g, mixed.b - expected.b);
    return share > 0.05F && share < 0.95F && off < kOffTheWay;
  }

  // The two sides, grown over the rest of the piece at one pace, then each taken apart where it is not
  // connected.
  std::vector<std::vector<int>> Grown(const std::array<std::vector<int>, 2>& sides,
                                      const std::vector<int>& piece) const {
    constexpr int8_t kOutside = -1, kFree = 2;
    std::vector<int8_t> side_of(picture_.size(), kOutside);
    for (const int at : piece) side_of[static_cast<size_t>(at)] = kFree;
    std::vector<int> line;
    for (size_t i = 0; i < 2; ++i) {
      for (const int at : sides[i]) side_of[static_cast<size_t>(at)] = static_cast<int8_t>(i);
      line.insert(line.end(), sides[i].begin(), sides[i].end());
    }
    for (size_t next = 0; next < line.size(); ++next) {
      const int from = line[next];
      ForNeighbours(from, false, [&](int at) {
        if (side_of[static_cast<size_t>(at)] != kFree) return;
        side_of[static_cast<size_t>(at)] = side_of[static_cast<size_t>(from)];
        line.push_back(at);
      });
    }
    std::vector<std::vector<int>> parts;
    for (int8_t i = 0; i < 2; ++i) {
      std::vector<bool> open(picture_.size());
      for (const int at : piece) open[static_cast<size_t>(at)] = side_of[static_cast<size_t>(at)] == i;
      std::vector<std::vector<int>> connected = Connected(open, true);
      std::move(connected.begin(), connected.end(), std::back_inserter(parts));
    }
    return parts;
  }

  void Keep(std::vector<int> pixels) {
    if (static_cast<double>(pixels.size()) < least_pixels_) return;
    std::vector<int> inside = Inside(pixels);
    if (inside.size() * 6 < pixels.size()) inside = pixels;  // nothing but rim
    // Of a thin piece that was blurred, the middle alone has nearly the colour that it was painted in.
    const auto farther = [this](int one, int other) {
      return backdrop_.away[static_cast<size_t>(one)] > backdrop_.away[static_cast<size_t>(other)];
    };
    const auto half = static_cast<std::ptrdiff_t>((inside.size() + 1) / 2);
    std::nth_element(inside.begin(), inside.begin() + half - 1, inside.end(), farther);
    inside.resize(static_cast<size_t>(half));
    const Lab middle = MedianLab(inside);
    const auto odd = [&](int at) { return Difference(LabAt(at), middle) > kOdd; };
    std::vector<int> even;
    std::remove_copy_if(inside.begin(), inside.end(), std::back_inserter(even), odd);
    if (even.empty()) even = std::move(inside);
    Segment segment{.lab = MedianLab(even), .rgb = MedianRgb(even)};
    segment.pixels = std::move(pixels);
    result_.found.push_back(std::move(segment));
  }

  const PixelPlanes& picture_;
  const BackdropFit& backdrop_;
  const float threshold_;
  const double least_pixels_;
  Segments result_;
};

}  // namespace

Segments FindSegments(const PixelPlanes& picture, const BackdropFit& backdrop) {
  return Segmenter(picture, backdrop).Find();
}

}  // namespace ip2p::shapes
