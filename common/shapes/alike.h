// Families of scenes that differ in little: hard negatives. A CLIP that only ever tells foreign scenes apart
// learns what is in a picture and not where, nor which colour is whose (Yuksekgonul et al., arXiv
// 2210.01936). Pure functions.
#pragma once

#include <cstdint>

#include "common/shapes/caption.h"

namespace ip2p::shapes {

inline constexpr int kMostAlike = 64;

// Scene `member` (0..kMostAlike-1) of the family `seed`: the first is RandomScene's; each other one differs
// from it in one thing, and from all before it: a place, a colour, a shape or a size told otherwise, another
// background, or of two objects those things exchanged. Each in a wording of its own. The same for a seed
// everywhere and for ever.
ToldScene AlikeScene(uint64_t seed, int member, PlacesTold places = PlacesTold::kSome, int most_objects = 2);

}  // namespace ip2p::shapes
