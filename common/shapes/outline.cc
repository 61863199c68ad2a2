// The distances are exact (after Inigo Quilez, "2D distance functions"), so half a pixel of them is an edge's
// smoothing.
#include "common/shapes/outline.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <span>
#include <vector>

namespace ip2p::shapes {
namespace {

struct Point {
  double x = 0;
  double y = 0;
};

double Box(double x, double y, double half) {
  const double dx = std::abs(x) - half;
  const double dy = std::abs(y) - half;
  return std::hypot(std::max(dx, 0.0), std::max(dy, 0.0)) + std::min(std::max(dx, dy), 0.0);
}

double Polygon(std::span<const Point> corners, double x, double y) {
  double nearest = 1e9;  // squared
  bool inside = false;
  Point from = corners.back();
  for (const Point to : corners) {
    const double ex = to.x - from.x, ey = to.y - from.y;
    const double px = x - from.x, py = y - from.y;
    const double along = std::clamp((px * ex + py * ey) / (ex * ex + ey * ey), 0.0, 1.0);
    const double dx = px - along * ex, dy = py - along * ey;
    nearest = std::min(nearest, dx * dx + dy * dy);
    if ((from.y <= y) != (to.y <= y) && (x - from.x < ex * (y - from.y) / ey)) inside = !inside;
    from = to;
  }
  return inside ? -std::sqrt(nearest) : std::sqrt(nearest);
}

constexpr double kHalfSide = 0.86;
constexpr Point kTriangle[] = {{0, -1.08}, {1.02, 0.66}, {-1.02, 0.66}};
constexpr Point kDiamond[] = {{0, -1.18}, {0.84, 0}, {0, 1.18}, {-0.84, 0}};
constexpr double kArm = 1.06;      // of the cross, from its centre
constexpr double kArmHalf = 0.36;  // half its width
constexpr Point kCross[] = {{-kArmHalf, -kArm}, {kArmHalf, -kArm},  {kArmHalf, -kArmHalf},
                            {kArm, -kArmHalf},  {kArm, kArmHalf},   {kArmHalf, kArmHalf},
                            {kArmHalf, kArm},   {-kArmHalf, kArm},  {-kArmHalf, kArmHalf},
                            {-kArm, kArmHalf},  {-kArm, -kArmHalf}, {-kArmHalf, -kArmHalf}};
constexpr double kRingMiddle = 0.79;  // radius of the stroke's middle
constexpr double kRingHalf = 0.26;    // half its width

std::array<Point, 10> StarCorners() {
  constexpr double kOuter = 1.2, kInner = 0.52, kDown = 0.04;
  std::array<Point, 10> corners;
  for (size_t i = 0; i < corners.size(); ++i) {
    const double angle = std::numbers::pi * (static_cast<double>(i) / 5 - 0.5);
    const double radius = i % 2 == 0 ? kOuter : kInner;
    corners[i] = {radius * std::cos(angle), kDown + radius * std::sin(angle)};
  }
  return corners;
}

// Two arcs over a right angle that stands on its tip; the unit's tip is at 0, its lobes reach up to 1.1.
double Heart(double x, double y) {
  constexpr double kScale = 1.74, kMiddle = 0.55;
  const double u = std::abs(x) / kScale;
  const double v = kMiddle - y / kScale;
  double distance = 0;
  if (u + v > 1) {
    distance = std::hypot(u - 0.25, v - 0.75) - std::numbers::sqrt2 / 4;
  } else {
    const double along = 0.5 * std::max(u + v, 0.0);
    const double to_notch = u * u + (v - 1) * (v - 1);
    const double to_side = (u - along) * (u - along) + (v - along) * (v - along);
    distance = std::sqrt(std::min(to_notch, to_side)) * (u > v ? 1 : -1);
  }
  return distance * kScale;
}

// Distances on a grid over -kHalfTable..kHalfTable.
constexpr double kHalfTable = 1.5;
constexpr int kCells = 120;
constexpr double kCellsPerUnit = kCells / (2 * kHalfTable);
using Table = std::vector<float>;

std::array<Table, kShapes> MakeTables() {
  std::array<Table, kShapes> tables;
  for (size_t shape = 0; shape < tables.size(); ++shape) {
    tables[shape].reserve((kCells + 1) * (kCells + 1));
    for (int row = 0; row <= kCells; ++row) {
      for (int column = 0; column <= kCells; ++column) {
        tables[shape].push_back(
            static_cast<float>(OutlineDistance(static_cast<Shape>(shape), column / kCellsPerUnit - kHalfTable,
                                               row / kCellsPerUnit - kHalfTable)));
      }
    }
  }
  return tables;
}

std::array<OutlineMoments, kShapes> MakeMoments() {
  constexpr double kStep = 1.0 / 128;
  constexpr double kRim = 0.04;  // half the width of the band whose area tells the outline's length
  std::array<OutlineMoments, kShapes> all;
  for (size_t shape = 0; shape < all.size(); ++shape) {
    OutlineMoments& sums = all[shape];
    for (double y = -kHalfTable; y < kHalfTable; y += kStep) {
      for (double x = -kHalfTable; x < kHalfTable; x += kStep) {
        const double distance = OutlineDistance(static_cast<Shape>(shape), x, y);
        const double share = std::clamp(0.5 - distance / kStep, 0.0, 1.0);
        const double rim = std::clamp(0.5 + (kRim - std::abs(distance)) / kStep, 0.0, 1.0);
        sums.length += rim * kStep * kStep / (2 * kRim);
        sums.area += share;
        sums.x += share * x;
        sums.y += share * y;
      }
    }
    sums.x /= sums.area;
    sums.y /= sums.area;
    sums.area *= kStep * kStep;
  }
  return all;
}

}  // namespace

double OutlineDistance(Shape shape, double x, double y) {
  static const std::array<Point, 10> star = StarCorners();
  switch (shape) {
    case Shape::kCircle:
      return std::hypot(x, y) - 1;
    case Shape::kSquare:
      return Box(x, y, kHalfSide);
    case Shape::kTriangle:
      return Polygon(kTriangle, x, y);
    case Shape::kStar:
      return Polygon(star, x, y);
    case Shape::kHeart:
      return Heart(x, y);
    case Shape::kDiamond:
      return Polygon(kDiamond, x, y);
    case Shape::kCross:
      return Polygon(kCross, x, y);
    case Shape::kRing:
      return std::abs(std::hypot(x, y) - kRingMiddle) - kRingHalf;
  }
  return 1;
}

double OutlineDistanceFast(Shape shape, double x, double y) {
  static const std::array<Table, kShapes> tables = MakeTables();
  const double column = (x + kHalfTable) * kCellsPerUnit;
  const double row = (y + kHalfTable) * kCellsPerUnit;
  if (!(column >= 0 && column < kCells && row >= 0 && row < kCells)) return kHalfTable;
  const int left = static_cast<int>(column);
  const int top = static_cast<int>(row);
  const float across = static_cast<float>(column) - static_cast<float>(left);
  const float down = static_cast<float>(row) - static_cast<float>(top);
  const float* const cell = tables[static_cast<size_t>(shape)].data() + top * (kCells + 1) + left;
  const float upper = cell[0] + across * (cell[1] - cell[0]);
  const float lower = cell[kCells + 1] + across * (cell[kCells + 2] - cell[kCells + 1]);
  return upper + down * (lower - upper);
}

const OutlineMoments& MomentsOf(Shape shape) {
  static const std::array<OutlineMoments, kShapes> moments = MakeMoments();
  return moments[static_cast<size_t>(shape)];
}

}  // namespace ip2p::shapes
