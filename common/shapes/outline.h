// The outlines of the eight shapes as signed distances: what the renderer fills and the oracle looks for.
// Pure functions, any thread.
//
// Coordinates are right and down from the object's centre, in units of its radius. Every shape lies within
// kReach of the centre and is about as large to the eye as the circle of radius 1, so that an object can
// change its shape where it is.
#pragma once

#include "common/shapes/scene.h"

namespace ip2p::shapes {

inline constexpr double kReach = 1.24;

// To the outline; negative inside.
double OutlineDistance(Shape shape, double x, double y);

// The same within 0.02, from a table: several times as fast. Beyond 1.5 from the centre on either axis: a
// distance that is far outside.
double OutlineDistanceFast(Shape shape, double x, double y);

// Of the filled shape.
struct OutlineMoments {
  double area = 0;
  double x = 0;  // centre of mass
  double y = 0;
  double length = 0;  // of the outline, the inner one of a ring included
};
const OutlineMoments& MomentsOf(Shape shape);

}  // namespace ip2p::shapes
