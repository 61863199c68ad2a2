#include "common/shapes/scene_json.h"

#include <cmath>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/shapes/vocabulary.h"

namespace ip2p::shapes {
namespace {

using Json = nlohmann::ordered_json;

double Rounded(double value) { return std::round(value * 100) / 100; }

Json ObjectJson(Shape shape, Color color, double x, double y, double radius) {
  return {{"shape", std::string(Word(shape))},
          {"color", std::string(Word(color))},
          {"x", Rounded(x)},
          {"y", Rounded(y)},
          {"radius", Rounded(radius)}};
}

}  // namespace

Json SceneJson(const PlacedScene& placed, int side) {
  Json objects = Json::array();
  for (size_t i = 0; i < placed.spots.size(); ++i) {
    const Object& object = placed.scene.objects[i];
    const Spot& spot = placed.spots[i];
    objects.push_back(
        ObjectJson(object.shape, object.color, spot.x * side, spot.y * side, spot.radius * side));
  }
  return {{"background", std::string(Word(placed.scene.background))}, {"objects", std::move(objects)}};
}

Json ReadingJson(const SceneReading& reading) {
  Json objects = Json::array();
  for (const SeenObject& seen : reading.objects) {
    Json object = ObjectJson(seen.shape, seen.color, seen.x, seen.y, seen.radius);
    object["shape_confidence"] = Rounded(seen.shape_confidence);
    object["color_confidence"] = Rounded(seen.color_confidence);
    objects.push_back(std::move(object));
  }
  Json json = {{"width", reading.width},
               {"height", reading.height},
               {"background", std::string(Word(reading.background))},
               {"background_confidence", Rounded(reading.background_confidence)},
               {"objects", std::move(objects)},
               {"confidence", Rounded(reading.confidence)}};
  if (!reading.seen()) json["doubt"] = reading.doubt;
  return json;
}

std::string ReadingText(const SceneReading& reading) {
  if (!reading.seen()) return absl::StrCat("no scene: ", reading.doubt);
  std::string text;
  for (const SeenObject& seen : reading.objects) {
    const std::string name = WithArticle(Concat({Word(seen.color), " ", Word(seen.shape)}));
    absl::StrAppendFormat(&text, "%s%s at %.0f,%.0f", text.empty() ? "" : " and ", name, seen.x, seen.y);
  }
  const std::string_view background = Phrases(reading.background)[0];
  absl::StrAppendFormat(&text, " %s (confidence %.2f)", std::string(background), reading.confidence);
  return text;
}

}  // namespace ip2p::shapes
