#include "common/plot/curve_trail.h"

#include <cmath>
#include <limits>

namespace ip2p {

void CurveTrail::Add(double x, double y) {
  if (points_.empty() || points_.back().values == values_a_point_) {
    if (points_.size() == max_points_) {
      for (size_t i = 0; i < max_points_ / 2; ++i) {
        Point pair = points_[2 * i];
        const Point& second = points_[2 * i + 1];
        pair.x_sum += second.x_sum;
        pair.y_sum += second.y_sum;
        pair.values += second.values;
        pair.finite += second.finite;
        points_[i] = pair;
      }
      points_.resize(max_points_ / 2);
      values_a_point_ *= 2;
    }
    points_.emplace_back();
  }
  Point& last = points_.back();
  last.x_sum += x;
  ++last.values;
  if (!std::isfinite(y)) return;
  last.y_sum += y;
  ++last.finite;
}

std::vector<double> CurveTrail::X() const {
  std::vector<double> x;
  for (const Point& point : points_) x.push_back(point.x_sum / static_cast<double>(point.values));
  return x;
}

std::vector<double> CurveTrail::Y() const {
  std::vector<double> y;
  for (const Point& point : points_) {
    y.push_back(point.finite == 0 ? std::numeric_limits<double>::quiet_NaN()
                                  : point.y_sum / static_cast<double>(point.finite));
  }
  return y;
}

}  // namespace ip2p
