// A curve of any length in bounded memory: each point is the mean of equally many values, twice as many from
// the moment on when the points would be too many. One thread.
#pragma once

#include <cstddef>
#include <vector>

namespace ip2p {

class CurveTrail {
 public:
  // `max_points` is even and at least 2. Beyond half of them a curve is never thinner than that half.
  explicit CurveTrail(size_t max_points) : max_points_(max_points) {}

  // In order of x. A y that is not finite counts for no mean; a point of only such ones is NaN.
  void Add(double x, double y);

  std::vector<double> X() const;
  std::vector<double> Y() const;

 private:
  struct Point {
    double x_sum = 0;
    double y_sum = 0;
    size_t values = 0;
    size_t finite = 0;
  };

  const size_t max_points_;
  size_t values_a_point_ = 1;
  std::vector<Point> points_;  // the last may hold fewer values
};

}  // namespace ip2p
