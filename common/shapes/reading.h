// What the oracle sees in a picture. Plain data.
#pragma once

#include <string>
#include <vector>

#include "common/shapes/scene.h"

namespace ip2p::shapes {

// From this confidence on something counts as seen. A drawn scene has 1, through noise and JPEG over 0.8;
// what is none has under 0.3.
inline constexpr double kSeen = 0.5;

// Something that stands out from the background. Lengths in pixels of the picture; confidences 0..1.
struct SeenObject {
  Shape shape = Shape::kCircle;
  Color color = Color::kRed;
  double x = 0;  // centre, as outline.h has it
  double y = 0;
  double radius = 0;
  double shape_confidence = 0;
  double color_confidence = 0;
  double confidence() const {
    return shape_confidence < color_confidence ? shape_confidence : color_confidence;
  }
};

struct SceneReading {
  int width = 0;  // of the picture
  int height = 0;
  Background background = Background::kWhite;
  double background_confidence = 0;
  std::vector<SeenObject> objects;  // the largest first, doubtful ones included
  double unexplained = 0;           // share of the picture that is neither background nor a shape
  double confidence = 0;            // that this is one scene of one or two objects, and this one
  std::string doubt;                // why it is below kSeen; else empty

  bool seen() const { return confidence >= kSeen; }
};

}  // namespace ip2p::shapes
