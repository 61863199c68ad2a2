// By rejection: sizes and centres are drawn from the bands that the words allow until they fit, the sizes
// nearer to the least one each time.
#include "common/shapes/layout.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "common/base/permutation.h"
#include "common/shapes/outline.h"
#include "common/shapes/vocabulary.h"

namespace ip2p::shapes {
namespace {

struct Band {
  double low;
  double high;
};

// Of radii. What lies between two bands is called by the nearer one.
constexpr Band kRadii[kSizes] = {{0.08, 0.092}, {0.108, 0.126}, {0.142, 0.172}};
constexpr Band kAnyRadius = {0.1, 0.17};
constexpr double kLeastMedium = 0.0995;
constexpr double kLeastLarge = 0.134;

// Of centres, for either axis: near the low edge, in the middle, near the high edge.
constexpr Band kThirds[] = {{0, 0.35}, {0.4, 0.6}, {0.65, 1}};
constexpr double kEdgeOfThirds = 0.375;

constexpr double kMargin = 0.015;  // to the picture's edge
constexpr double kGap = 0.02;      // between two objects
constexpr int kTries = 4000;       // the hardest two words take 1,600

// 0, 1 or 2 on either axis.
struct Third {
  int across;
  int down;
};

Third ThirdOf(Place place) {
  static constexpr Third kThirdsOf[kPlaces] = {{1, 1}, {0, 1}, {2, 1}, {1, 0}, {1, 2},
                                               {0, 0}, {2, 0}, {0, 2}, {2, 2}};
  return kThirdsOf[static_cast<size_t>(place)];
}

double Draw(Dice& dice, const Band& band) {
  constexpr int kFine = 1 << 20;
  return band.low + (band.high - band.low) * static_cast<double>(dice.Roll(kFine)) / kFine;
}

Spot DrawSpot(Dice& dice, const Object& object, double freedom) {
  Spot spot;
  const Band radii = object.size ? kRadii[static_cast<size_t>(*object.size)] : kAnyRadius;
  spot.radius = Draw(dice, {radii.low, std::lerp(radii.low, radii.high, freedom)});
  const double edge = spot.radius * kReach + kMargin;
  const auto draw_in = [&](int third) {
    const Band wanted = third < 0 ? Band{0, 1} : kThirds[third];
    return Draw(dice, {std::max(wanted.low, edge), std::min(wanted.high, 1 - edge)});
  };
  const Third third = object.place ? ThirdOf(*object.place) : Third{-1, -1};
  spot.x = draw_in(third.across);
  spot.y = draw_in(third.down);
  return spot;
}

bool KeepApart(const Spot& one, const Spot& other) {
  return std::hypot(one.x - other.x, one.y - other.y) > (one.radius + other.radius) * kReach + kGap;
}

// Two objects still differ: one is blue, one black.
void MakePlain(Scene& scene) {
  scene.background = Background::kWhite;
  bool blue = static_cast<int>(scene.objects[0].color) % 2 == 0;
  for (Object& object : scene.objects) {
    object.color = blue ? Color::kBlue : Color::kBlack;
    blue = !blue;
  }
}

}  // namespace

Size SizeOf(double radius) {
  return radius < kLeastMedium ? Size::kSmall : radius < kLeastLarge ? Size::kMedium : Size::kLarge;
}

Place PlaceOf(double x, double y) {
  const auto third = [](double at) { return at < kEdgeOfThirds ? 0 : at > 1 - kEdgeOfThirds ? 2 : 1; };
  for (int place = 0; place < kPlaces; ++place) {
    const Third of = ThirdOf(static_cast<Place>(place));
    if (of.across == third(x) && of.down == third(y)) return static_cast<Place>(place);
  }
  return Place::kCentre;
}

absl::StatusOr<PlacedScene> LayOut(const Scene& scene, uint64_t seed) {
  if (scene.objects.empty() || scene.objects.size() > 2) {
    return absl::InvalidArgumentError(
        absl::StrCat("the scene has ", scene.objects.size(), " objects; wants one or two"));
  }
  Dice dice(seed);
  PlacedScene placed{.scene = scene, .texture_seed = MixSeed(seed, 1)};
  for (int tries = 0; tries < kTries; ++tries) {
    placed.spots.clear();
    const double freedom = std::max(0.0, 1 - 2.0 * tries / kTries);
    for (const Object& object : scene.objects) placed.spots.push_back(DrawSpot(dice, object, freedom));
    if (placed.spots.size() == 1 || KeepApart(placed.spots[0], placed.spots[1])) return placed;
  }
  return absl::InvalidArgumentError(
      "the scene's objects do not fit where they are told to be; wants other places or smaller sizes");
}

SampledScene SampleScene(uint64_t seed, int64_t index, const SetOptions& set) {
  const uint64_t scene_seed = MixSeed(seed, static_cast<uint64_t>(index));
  SampledScene sample;
  // Neither tells two objects to be in one place, so a layout is always found.
  if (set.alike > 1) {
    sample.told = AlikeScene(MixSeed(seed, static_cast<uint64_t>(index / set.alike)),
                             static_cast<int>(index % set.alike), set.places, set.most_objects);
  } else {
    sample.told = RandomScene(scene_seed, set.places, set.most_objects);
  }
  if (set.plain) MakePlain(sample.told.scene);
  sample.caption = Caption(sample.told.scene, sample.told.wording);
  sample.placed = *LayOut(sample.told.scene, MixSeed(scene_seed, 2));
  return sample;
}

}  // namespace ip2p::shapes
