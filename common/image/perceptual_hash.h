// 64 bits that stay nearly the same when a picture is scaled or compressed again: near duplicates differ in a
// few. Pure.
#pragma once

#include <cstdint>

#include "common/image/image.h"

namespace ip2p {

// The difference hash: brightness on a 9x8 grid of area means, one bit a horizontal step that rises by more
// than two levels (less is noise of compression). 0 for an image without pixels.
uint64_t DifferenceHash(const Image& image);

}  // namespace ip2p
