#include "common/shapes/alike.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "common/base/permutation.h"
#include "common/shapes/vocabulary.h"

namespace ip2p::shapes {
namespace {

// Whether RandomScene could have drawn it.
bool CanBe(const Scene& scene) {
  for (const Object& object : scene.objects) {
    if (Clashes(object.color, scene.background)) return false;
  }
  if (scene.objects.size() < 2) return true;
  const Object &first = scene.objects[0], &second = scene.objects[1];
  if (AreTwins(first, second)) return false;
  return !first.place || first.place != second.place;
}

// One thing otherwise; may be as it was, or what cannot be.
void ChangeOne(Dice& dice, Scene& scene) {
  Object& object = scene.objects[static_cast<size_t>(dice.Roll(static_cast<int>(scene.objects.size())))];
  switch (dice.Roll(scene.objects.size() == 2 ? 8 : 5)) {
    case 0:
      if (object.place) object.place = static_cast<Place>(dice.Roll(kPlaces));
      break;
    case 1:
      object.color = static_cast<Color>(dice.Roll(kColors));
      break;
    case 2:
      object.shape = static_cast<Shape>(dice.Roll(kShapes));
      break;
    case 3:
      if (object.size) object.size = static_cast<Size>(dice.Roll(kSizes));
      break;
    case 4:
      scene.background = static_cast<Background>(dice.Roll(kBackgrounds));
      break;
    case 5:
      std::swap(scene.objects[0].color, scene.objects[1].color);
      break;
    case 6:
      std::swap(scene.objects[0].shape, scene.objects[1].shape);
      break;
    default:
      std::swap(scene.objects[0].place, scene.objects[1].place);
      break;
  }
}

}  // namespace

ToldScene AlikeScene(uint64_t seed, int member, PlacesTold places, int most_objects) {
  const ToldScene base = RandomScene(seed, places, most_objects);
  std::vector<Scene> family = {base.scene};
  // There are always enough: 7 other backgrounds or colours of an object, 7 shapes, and so on.
  Dice dice(MixSeed(seed, 1));
  while (static_cast<int>(family.size()) <= member) {
    Scene scene = base.scene;
    // A large family has told all single changes before it is full.
    for (size_t changes = 0; changes <= family.size() / 8; ++changes) ChangeOne(dice, scene);
    if (CanBe(scene) && std::find(family.begin(), family.end(), scene) == family.end())
      family.push_back(scene);
  }
  if (member == 0) return base;
  return {.scene = family.back(),
          .wording = RandomWording(family.back(), MixSeed(seed, 1, static_cast<uint64_t>(member)))};
}

}  // namespace ip2p::shapes
