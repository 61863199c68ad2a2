#include "common/shapes/compare.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/status_macros.h"
#include "common/shapes/vocabulary.h"

namespace ip2p::shapes {
namespace {

absl::string_view View(std::string_view word) { return {word.data(), word.size()}; }

std::string Name(const Object& object) {
  return Concat({"the ", Word(object.color), " ", Word(object.shape)});
}

bool IsOnBackground(const SceneReading& reading, Background background) {
  return reading.background == background && reading.background_confidence >= kSeen;
}

std::string BackgroundFault(const SceneReading& reading, Background wanted) {
  if (IsOnBackground(reading, wanted)) return "";
  const absl::string_view found =
      reading.background_confidence >= kSeen ? View(Word(reading.background)) : absl::string_view("unclear");
  return absl::StrCat("the background is ", found, "; wants ", View(Word(wanted)));
}

std::string CountFault(const SceneReading& reading, size_t wanted) {
  if (reading.objects.size() == wanted) return "";
  return absl::StrCat("objects are ", reading.objects.size(), "; wants ", wanted);
}

// What is other about the object as it is seen, of its shape.
std::string ShapeFault(const SeenObject& seen, Shape wanted) {
  if (seen.shape == wanted && seen.shape_confidence >= kSeen) return "";
  return absl::StrCat("the object at ", std::lround(seen.x), ",", std::lround(seen.y), " is ",
                      seen.shape_confidence >= kSeen ? WithArticle(Word(seen.shape)) : "of unclear shape",
                      "; wants ", WithArticle(Word(wanted)));
}

std::string ColorFault(const SeenObject& seen, Color wanted) {
  if (seen.color == wanted && seen.color_confidence >= kSeen) return "";
  return absl::StrCat("the object at ", std::lround(seen.x), ",", std::lround(seen.y), " is ",
                      seen.color_confidence >= kSeen ? View(Word(seen.color)) : "of unclear colour",
                      "; wants ", View(Word(wanted)));
}

// Lengths of a reading are in pixels, those of spots in shares of the side.
double SideOf(const SceneReading& reading) { return std::max(reading.width, reading.height); }

double Distance(const SceneReading& reading, const SeenObject& seen, const Spot& spot) {
  return std::hypot(seen.x / SideOf(reading) - spot.x, seen.y / SideOf(reading) - spot.y);
}

std::string SpotFault(const SceneReading& reading, const SeenObject& seen, const Object& object,
                      const Spot& spot, const Tolerance& tolerance) {
  const double moved = Distance(reading, seen, spot);
  if (moved > tolerance.place) {
    return absl::StrFormat("%s moved by %.1f px; wants at most %.1f", Name(object), moved * SideOf(reading),
                           tolerance.place * SideOf(reading));
  }
  const double growth = seen.radius / SideOf(reading) / spot.radius;
  if (growth > tolerance.size || growth < 1 / tolerance.size) {
    return absl::StrFormat("%s is %.2f times as large; wants at most %.2f", Name(object), growth,
                           tolerance.size);
  }
  return "";
}

std::string SceneObjectFault(const SceneReading& reading, const SeenObject& seen, const Object& object) {
  if (std::string fault = ShapeFault(seen, object.shape); !fault.empty()) return fault;
  if (std::string fault = ColorFault(seen, object.color); !fault.empty()) return fault;
  const Size size = SizeOf(seen.radius / SideOf(reading));
  if (object.size && *object.size != size) {
    return absl::StrCat(Name(object), " is ", View(Words(size)[0]), "; wants ", View(Words(*object.size)[0]));
  }
  const Place place = PlaceOf(seen.x / reading.width, seen.y / reading.height);
  if (object.place && *object.place != place) {
    return absl::StrCat(Name(object), " is ", View(Phrases(place)[0]), "; wants ",
                        View(Phrases(*object.place)[0]));
  }
  return "";
}

// The fault of the better of the two ways to tell which object is which.
template <typename FaultOf>
std::string FaultOfBestOrder(size_t objects, const FaultOf& fault_of) {
  std::string first;
  for (size_t shift = 0; shift < objects; ++shift) {
    std::string fault;
    for (size_t i = 0; i < objects && fault.empty(); ++i) fault = fault_of(i, (i + shift) % objects);
    if (fault.empty()) return "";
    if (shift == 0) first = std::move(fault);
  }
  return first;
}

// The seen object nearest to the spot.
const SeenObject* Nearest(const SceneReading& reading, const Spot& spot) {
  const SeenObject* nearest = nullptr;
  for (const SeenObject& seen : reading.objects) {
    if (nearest == nullptr || Distance(reading, seen, spot) < Distance(reading, *nearest, spot))
      nearest = &seen;
  }
  return nearest;
}

}  // namespace

std::string DifferenceFromScene(const SceneReading& reading, const Scene& told) {
  if (std::string fault = CountFault(reading, told.objects.size()); !fault.empty()) return fault;
  if (std::string fault = BackgroundFault(reading, told.background); !fault.empty()) return fault;
  std::string fault = FaultOfBestOrder(told.objects.size(), [&](size_t object, size_t seen) {
    return SceneObjectFault(reading, reading.objects[seen], told.objects[object]);
  });
  return fault.empty() && !reading.seen() ? reading.doubt : fault;
}

std::string DifferenceFromPlaced(const SceneReading& reading, const PlacedScene& placed,
                                 const Tolerance& tolerance) {
  if (std::string fault = DifferenceFromScene(reading, placed.scene); !fault.empty()) return fault;
  return FaultOfBestOrder(placed.spots.size(), [&](size_t object, size_t seen) -> std::string {
    const Object& wanted = placed.scene.objects[object];
    const SeenObject& found = reading.objects[seen];
    if (found.shape != wanted.shape || found.color != wanted.color) return "the objects changed places";
    return SpotFault(reading, found, wanted, placed.spots[object], tolerance);
  });
}

absl::StatusOr<EditVerdict> JudgeEdit(const PlacedScene& before, const SceneEdit& edit,
                                      const SceneReading& after, const Tolerance& tolerance) {
  IP2P_ASSIGN_OR_RETURN(const Scene wanted, Apply(edit, before.scene));
  if (before.spots.size() != before.scene.objects.size()) {
    return absl::InvalidArgumentError(absl::StrCat("spots are ", before.spots.size(),
                                                   "; wants one for each of ", before.scene.objects.size(),
                                                   " objects"));
  }
  // Each finding is one of the change or one of the rest.
  std::string not_changed, not_kept;
  const auto take = [](std::string fault, std::string& into) {
    if (into.empty()) into = std::move(fault);
  };
  take(BackgroundFault(after, wanted.background),
       edit.kind == EditKind::kBackground ? not_changed : not_kept);
  take(CountFault(after, wanted.objects.size()), not_kept);
  for (size_t i = 0; i < wanted.objects.size(); ++i) {
    const bool edited = edit.kind != EditKind::kBackground && edit.object == i;
    const SeenObject* const seen = Nearest(after, before.spots[i]);
    if (seen == nullptr) {
      take(Concat({Name(wanted.objects[i]), " is gone"}), edited ? not_changed : not_kept);
      continue;
    }
    take(ShapeFault(*seen, wanted.objects[i].shape),
         edited && edit.kind == EditKind::kReshape ? not_changed : not_kept);
    take(ColorFault(*seen, wanted.objects[i].color),
         edited && edit.kind == EditKind::kRecolour ? not_changed : not_kept);
    take(SpotFault(after, *seen, wanted.objects[i], before.spots[i], tolerance), not_kept);
  }
  return EditVerdict{.changed = not_changed.empty(),
                     .kept = not_kept.empty(),
                     .fault = not_changed.empty() ? not_kept : not_changed};
}

}  // namespace ip2p::shapes
