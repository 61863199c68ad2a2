// Scenes and readings as JSON, for files beside pictures and for programs. Lengths are in pixels, rounded to
// hundredths. Pure functions.
#pragma once

#include "common/base/json.h"
#include "common/shapes/layout.h"
#include "common/shapes/reading.h"

namespace ip2p::shapes {

// {"background": "sand", "objects": [{"shape": "heart", "color": "blue", "x": 40.5, "y": 81, "radius": 15}]}
nlohmann::ordered_json SceneJson(const PlacedScene& placed, int side);

// The same with a confidence for each part, and the confidence in the whole; "doubt" where that is low.
nlohmann::ordered_json ReadingJson(const SceneReading& reading);

// "a blue heart at 40,81 and a white ring at 90,30 on sand (confidence 0.97)", or "no scene: " and the doubt.
std::string ReadingText(const SceneReading& reading);

}  // namespace ip2p::shapes
