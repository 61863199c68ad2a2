// Reads a picture of the miniature world: which objects of which colour where, on which background, and how
// sure that is. For pictures that a program drew, a codec stored or a small network painted, and honest about
// all others.
#pragma once

#include <string>

#include "common/image/image.h"
#include "common/shapes/reading.h"

namespace ip2p::shapes {

inline constexpr int kLeastSide = 32;  // px; smaller shapes cannot be told apart

// Pure, any thread. Costs 3 to 5 ms on a core whatever the picture's size. Never fails: what is no scene has
// a confidence below kSeen and a doubt.
SceneReading ReadScene(const Image& image);

}  // namespace ip2p::shapes
