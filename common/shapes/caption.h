// Captions of the miniature world: a scene in words, and back. Pure functions.
//
//   caption    = [opening] object ["and" object] [background]
//   opening    = "a picture of" | "an image of" | "a drawing of" | "a photo of" | "there is"
//   object     = article [size] colour shape [place]
//
// The words that say the same differently are kept in a Wording, so that an edited scene can be told in the
// words of the caption that it came from.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "common/shapes/scene.h"

namespace ip2p::shapes {

// Which of the synonyms (vocabulary.h) a caption uses; out of range: the first.
struct Wording {
  int opening = 0;  // 0: none
  int size[2] = {0, 0};
  int place[2] = {0, 0};
  int background = 0;
  bool capital = false;  // "A red circle..."
  bool full_stop = false;
  friend bool operator==(const Wording&, const Wording&) = default;
};

struct ToldScene {
  Scene scene;
  Wording wording;
};

std::string Caption(const Scene& scene, const Wording& wording);

// Reads what Caption writes, in any case; "gray" for grey too. Without a background phrase it is white.
// INVALID_ARGUMENT says which word was not understood.
absl::StatusOr<ToldScene> ParseCaption(std::string_view caption);

// Of how many objects in three the place is told.
enum class PlacesTold { kSome = 1, kMost = 2, kAll = 3 };

// A scene whose objects can be told from each other and from the background, in some wording. The same for a
// seed everywhere and for ever.
ToldScene RandomScene(uint64_t seed, PlacesTold places = PlacesTold::kSome, int most_objects = 2);

// The same for a scene and a seed everywhere and for ever.
Wording RandomWording(const Scene& scene, uint64_t seed);

}  // namespace ip2p::shapes
