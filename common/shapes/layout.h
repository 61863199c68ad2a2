// Where the objects of a scene are and how large. Pure functions, the same for a seed everywhere.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/shapes/alike.h"
#include "common/shapes/caption.h"
#include "common/shapes/scene.h"

namespace ip2p::shapes {

// In shares of the picture's side, from its top left.
struct Spot {
  double x = 0.5;
  double y = 0.5;
  double radius = 0.15;  // as outline.h has it
  friend bool operator==(const Spot&, const Spot&) = default;
};

// A scene that can be drawn.
struct PlacedScene {
  Scene scene;
  std::vector<Spot> spots;    // one an object, in their order
  uint64_t texture_seed = 0;  // of the backdrop
  friend bool operator==(const PlacedScene&, const PlacedScene&) = default;
};

// What a radius and a centre are called. A caption's words hold for every object that LayOut places, with
// room to spare for what a picture blurs.
Size SizeOf(double radius);
Place PlaceOf(double x, double y);

// Spots that agree with the sizes and places that the scene tells; the others are drawn. Objects keep apart
// and lie inside of the picture whatever their shapes, so an edit may change a shape and keep the spot.
// INVALID_ARGUMENT: no or over two objects, or they don't fit where they are told to be.
absl::StatusOr<PlacedScene> LayOut(const Scene& scene, uint64_t seed);

// What a set has.
struct SetOptions {
  PlacesTold places = PlacesTold::kSome;
  int most_objects = 2;  // in a scene, 1 or 2
  int alike = 1;         // scenes in a family of AlikeScene, 1..kMostAlike; 1: all foreign to each other
  // Blue and black objects on white: with nothing else to learn, a model hears which shape is asked for.
  bool plain = false;
};

// A scene, placed, with its caption: number `index` of the set `seed`.
struct SampledScene {
  ToldScene told;
  std::string caption;
  PlacedScene placed;
};
SampledScene SampleScene(uint64_t seed, int64_t index, const SetOptions& set = {});

}  // namespace ip2p::shapes
