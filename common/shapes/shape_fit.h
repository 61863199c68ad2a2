// Which of the eight shapes a piece of a picture has, where, and how large. Not for callers.
#pragma once

#include "common/shapes/backdrop_fit.h"
#include "common/shapes/pixel_planes.h"
#include "common/shapes/scene.h"
#include "common/shapes/segments.h"

namespace ip2p::shapes {

struct ShapeFit {
  Shape shape = Shape::kCircle;
  double x = 0;  // centre and radius in pixels of the planes
  double y = 0;
  double radius = 0;
  double overlap = 0;  // intersection over union with the piece, both with soft edges; 1: equal
  double lead = 0;     // over the overlap of the next best shape
  double off = 0;      // how far the piece's edge is from the shape's on average, in pixels of the planes
};

// How much of each pixel belongs to the piece is told from its colour's place between the background's and
// the piece's own, so that blur and smooth edges cost no precision. Each shape starts where it has the
// piece's area and centre of mass, and the likely ones are moved and scaled until they overlap most.
ShapeFit FitShape(const PixelPlanes& picture, const BackdropFit& backdrop, const Segments& segments,
                  int which);

}  // namespace ip2p::shapes
