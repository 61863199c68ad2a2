// What happens to pictures between file and network: resize, random crop, random mirror (edit_dataset.py).
// Pure, any thread.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "common/training/example.h"
#include "common/training/example_source.h"

namespace ip2p {

struct AugmentConfig {
  int crop = 256;        // side of the result in px
  int min_resize = 256;  // the side before cropping is drawn from min_resize..max_resize
  int max_resize = 256;
  bool flip = true;  // mirrored half of the time
};

// The whole picture at this side, not mirrored: nothing is left to chance.
AugmentConfig PlainCrop(int side);

// Whether Augment mirrors with this seed.
bool Mirrors(const AugmentConfig& config, uint64_t seed);

// Decodes, resizes to a square by Lanczos (single pictures that are not square: their middle), crops and
// mirrors, both pictures alike; what is random follows from `seed`. INVALID_ARGUMENT: a damaged picture.
absl::StatusOr<Example> Augment(const RawExample& raw, const AugmentConfig& config, uint64_t seed);
// The same without chance: the middle of what min_resize gives, mirrored or not.
absl::StatusOr<Example> AugmentAs(const RawExample& raw, const AugmentConfig& config, bool mirrored);

}  // namespace ip2p
