// Placed scenes in one line.
#pragma once

#include <utility>
#include <vector>

#include "common/shapes/layout.h"

namespace ip2p::shapes {

inline PlacedScene Placed(std::vector<Object> objects, Background background, std::vector<Spot> spots) {
  PlacedScene placed;
  placed.scene.objects = std::move(objects);
  placed.scene.background = background;
  placed.spots = std::move(spots);
  return placed;
}

}  // namespace ip2p::shapes
