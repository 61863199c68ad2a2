// The miniature world in words: one or two coloured shapes on a background. Plain data; what a caption does
// not say (a size, a place) is absent here and is whoever draws it to choose.
#pragma once

#include <optional>
#include <vector>

namespace ip2p::shapes {

enum class Shape { kCircle, kSquare, kTriangle, kStar, kHeart, kDiamond, kCross, kRing };
enum class Color { kRed, kOrange, kYellow, kGreen, kBlue, kPurple, kPink, kBrown, kWhite, kBlack };
enum class Size { kSmall, kMedium, kLarge };
enum class Place { kCentre, kLeft, kRight, kTop, kBottom, kTopLeft, kTopRight, kBottomLeft, kBottomRight };
enum class Background { kWhite, kGrey, kBlack, kSky, kGrass, kSand, kNight, kSunset };

inline constexpr int kShapes = 8;
inline constexpr int kColors = 10;
inline constexpr int kSizes = 3;
inline constexpr int kPlaces = 9;
inline constexpr int kBackgrounds = 8;

struct Object {
  Shape shape = Shape::kCircle;
  Color color = Color::kRed;
  std::optional<Size> size;
  std::optional<Place> place;
  friend bool operator==(const Object&, const Object&) = default;
};

struct Scene {
  std::vector<Object> objects;  // one or two, the first named first; two differ in shape or colour
  Background background = Background::kWhite;
  friend bool operator==(const Scene&, const Scene&) = default;
};

}  // namespace ip2p::shapes
