// Whether what the oracle sees is what was asked for: a caption's scene, or a scene after an edit. Pure
// functions.
#pragma once

#include <string>

#include "common/shapes/edit_grammar.h"
#include "common/shapes/layout.h"
#include "common/shapes/reading.h"

namespace ip2p::shapes {

struct Tolerance {
  double place = 6.0 / 128;  // of the picture's side: how far an object may have moved
  double size = 1.3;         // how many times as large or as small it may have become
};

// What is other than the scene tells, for people: "the circle is red; wants blue". Empty when nothing is.
// Sizes and places count where the scene tells them; the order of the objects does not.
std::string DifferenceFromScene(const SceneReading& reading, const Scene& told);
// The same, and every object is at its spot.
std::string DifferenceFromPlaced(const SceneReading& reading, const PlacedScene& placed,
                                 const Tolerance& tolerance = {});

// What became of an edit.
struct EditVerdict {
  bool changed = false;  // the asked change is there
  bool kept =
      false;  // all else is as before: the other object, the rest of the edited one, places, background
  std::string fault;  // the first thing that is wrong; empty when both hold
};

// `before` is the scene that was edited, `after` a reading of the result. What is not surely seen (kSeen) is
// neither changed nor kept. INVALID_ARGUMENT: the edit is none of `before`'s.
absl::StatusOr<EditVerdict> JudgeEdit(const PlacedScene& before, const SceneEdit& edit,
                                      const SceneReading& after, const Tolerance& tolerance = {});

}  // namespace ip2p::shapes
