// See augment.h.
#include "common/training/augment.h"

#include <cstring>

#include "common/base/permutation.h"
#include "common/base/status_macros.h"
#include "common/image/decode.h"
#include "common/image/fit.h"

namespace ip2p {
namespace {

constexpr int kChannels = 3;

int Draw(uint64_t seed, uint64_t what, int low, int high) {
  return low + static_cast<int>(MixSeed(seed, what) % static_cast<uint64_t>(high - low + 1));
}

Image CropAndFlip(const Image& image, int side, int left, int top, bool flip) {
  Image result{.width = side, .height = side};
  result.pixels.resize(static_cast<size_t>(side) * side * kChannels);
  for (int y = 0; y < side; ++y) {
    const uint8_t* from =
        image.pixels.data() + (static_cast<size_t>(top + y) * image.width + left) * kChannels;
    uint8_t* to = result.pixels.data() + static_cast<size_t>(y) * side * kChannels;
    if (!flip) {
      std::memcpy(to, from, static_cast<size_t>(side) * kChannels);
      continue;
    }
    for (int x = 0; x < side; ++x)
      std::memcpy(to + x * kChannels, from + (side - 1 - x) * kChannels, kChannels);
  }
  return result;
}

struct Cut {
  int side = 0;  // before cropping
  int crop = 0;
  int left = 0, top = 0;
  bool flip = false;
};

absl::StatusOr<Example> Apply(const RawExample& raw, const Cut& cut) {
  const bool pair = !raw.before.empty();
  const auto prepare = [&](const std::string& bytes) -> absl::StatusOr<Image> {
    IP2P_ASSIGN_OR_RETURN(const DecodedImage decoded, DecodeImage(bytes));
    const ImageSize square{.width = cut.side, .height = cut.side};
    IP2P_ASSIGN_OR_RETURN(const Image sized,
                          pair ? ResizeLanczos(decoded.image, square) : FitImage(decoded.image, square));
    return CropAndFlip(sized, cut.crop, cut.left, cut.top, cut.flip);
  };
  Example example{.text = raw.text, .caption = raw.caption, .output = raw.output, .mirrored = cut.flip};
  if (pair) {
    IP2P_ASSIGN_OR_RETURN(example.before, prepare(raw.before));
  }
  IP2P_ASSIGN_OR_RETURN(example.after, prepare(raw.after));
  return example;
}

}  // namespace

AugmentConfig PlainCrop(int side) {
  return {.crop = side, .min_resize = side, .max_resize = side, .flip = false};
}

bool Mirrors(const AugmentConfig& config, uint64_t seed) { return config.flip && Draw(seed, 4, 0, 1) == 1; }

absl::StatusOr<Example> Augment(const RawExample& raw, const AugmentConfig& config, uint64_t seed) {
  const int side = Draw(seed, 1, config.min_resize, config.max_resize);
  const int spare = side - config.crop;
  return Apply(raw, {.side = side,
                     .crop = config.crop,
                     .left = Draw(seed, 2, 0, spare),
                     .top = Draw(seed, 3, 0, spare),
                     .flip = Mirrors(config, seed)});
}

absl::StatusOr<Example> AugmentAs(const RawExample& raw, const AugmentConfig& config, bool mirrored) {
  const int spare = config.min_resize - config.crop;
  return Apply(raw, {.side = config.min_resize,
                     .crop = config.crop,
                     .left = spare / 2,
                     .top = spare / 2,
                     .flip = mirrored});
}

}  // namespace ip2p
