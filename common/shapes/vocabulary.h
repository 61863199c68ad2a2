// The words of the miniature world, and which colours can be told from which background. Pure functions.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/shapes/scene.h"

namespace ip2p::shapes {

std::string_view Word(Shape shape);
std::string_view Word(Color color);
std::string_view Word(Background background);  // "white", "sky", "night"
// All words for a size, the plainest first: {"small", "little", "tiny"}.
const std::vector<std::string_view>& Words(Size size);
// All phrases for a place: {"in the top left corner", "at the top left"}.
const std::vector<std::string_view>& Phrases(Place place);
// All phrases that end a caption: {"on a grass background", "on grass", "on a green lawn"}.
const std::vector<std::string_view>& Phrases(Background background);

std::optional<Shape> ShapeOf(std::string_view word);
std::optional<Color> ColorOf(std::string_view word);

// Whether an object of that colour would drown in that background.
bool Clashes(Color color, Background background);

// Whether no words but a place or a size tell them apart: no scene has such two.
bool AreTwins(const Object& a, const Object& b);

std::string Concat(std::initializer_list<std::string_view> parts);

// "a red" or "an orange".
std::string WithArticle(std::string_view words);

// A small generator that gives the same draws everywhere, unlike std::uniform_int_distribution.
class Dice {
 public:
  explicit Dice(uint64_t seed) : state_(seed) {}
  int Roll(int sides);  // 0..sides-1

 private:
  uint64_t state_;
};

}  // namespace ip2p::shapes
