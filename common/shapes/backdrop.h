// What stands behind the objects: a colour that depends on the height alone, and a texture on it (blades of
// grass, ripples of sand, stars). Pure functions, any thread.
#pragma once

#include <cstdint>

#include "common/image/image.h"
#include "common/shapes/palette.h"
#include "common/shapes/scene.h"

namespace ip2p::shapes {

// Without the texture; `height` is 0 at the picture's top and 1 at its bottom.
Rgb BackdropColor(Background background, double height);

// A square picture of that background. The texture follows from the seed and looks the same at every size.
// Textures are faint on purpose: a small autoencoder must be able to carry them.
Image DrawBackdrop(Background background, uint64_t seed, int side);

}  // namespace ip2p::shapes
