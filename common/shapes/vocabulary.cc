// Tables stand in the order of the enums.
#include "common/shapes/vocabulary.h"

#include <array>

namespace ip2p::shapes {
namespace {

using WordList = std::vector<std::string_view>;

constexpr std::array<std::string_view, kShapes> kShapeWords = {"circle", "square",  "triangle", "star",
                                                               "heart",  "diamond", "cross",    "ring"};
constexpr std::array<std::string_view, kColors> kColorWords = {
    "red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "white", "black"};
constexpr std::array<std::string_view, kBackgrounds> kBackgroundWords = {"white", "grey", "black", "sky",
                                                                         "grass", "sand", "night", "sunset"};

const WordList* SizeWords() {
  static const std::array<WordList, kSizes> words = {WordList{"small", "little", "tiny"},
                                                     WordList{"medium-sized", "medium"},
                                                     WordList{"large", "big", "huge"}};
  return words.data();
}

const WordList* PlacePhrases() {
  static const std::array<WordList, kPlaces> phrases = {
      WordList{"in the centre", "in the middle", "in the center"},
      WordList{"on the left", "at the left side"},
      WordList{"on the right", "at the right side"},
      WordList{"at the top", "near the top edge"},
      WordList{"at the bottom", "near the bottom edge"},
      WordList{"in the top left corner", "in the upper left"},
      WordList{"in the top right corner", "in the upper right"},
      WordList{"in the bottom left corner", "in the lower left"},
      WordList{"in the bottom right corner", "in the lower right"}};
  return phrases.data();
}

const WordList* BackgroundPhrases() {
  static const std::array<WordList, kBackgrounds> phrases = {
      WordList{"on a white background", "on white", "against a plain white wall"},
      WordList{"on a grey background", "on grey", "against a grey wall", "on a gray background"},
      WordList{"on a black background", "on black", "against a plain black wall"},
      WordList{"in the sky", "on a sky background", "in front of a blue sky", "under a clear sky"},
      WordList{"on a grass background", "on grass", "on a meadow", "on the green lawn"},
      WordList{"on sand", "on a sand background", "on a sandy beach", "in the desert"},
      WordList{"at night", "on a night background with stars", "under the stars", "in a starry night"},
      WordList{"at sunset", "on a sunset background", "in front of a sunset", "in the evening glow"}};
  return phrases.data();
}

}  // namespace

std::string_view Word(Shape shape) { return kShapeWords[static_cast<size_t>(shape)]; }
std::string_view Word(Color color) { return kColorWords[static_cast<size_t>(color)]; }
std::string_view Word(Background background) { return kBackgroundWords[static_cast<size_t>(background)]; }
const WordList& Words(Size size) { return SizeWords()[static_cast<size_t>(size)]; }
const WordList& Phrases(Place place) { return PlacePhrases()[static_cast<size_t>(place)]; }
const WordList& Phrases(Background background) {
  return BackgroundPhrases()[static_cast<size_t>(background)];
}

std::optional<Shape> ShapeOf(std::string_view word) {
  for (size_t i = 0; i < kShapeWords.size(); ++i) {
    if (word == kShapeWords[i]) return static_cast<Shape>(i);
  }
  return std::nullopt;
}

std::optional<Color> ColorOf(std::string_view word) {
  for (size_t i = 0; i < kColorWords.size(); ++i) {
    if (word == kColorWords[i]) return static_cast<Color>(i);
  }
  return std::nullopt;
}

bool AreTwins(const Object& a, const Object& b) { return a.shape == b.shape && a.color == b.color; }

bool Clashes(Color color, Background background) {
  switch (background) {
    case Background::kWhite:
      return color == Color::kWhite;
    case Background::kGrey:
      return false;
    case Background::kBlack:
    case Background::kNight:
      return color == Color::kBlack;
    case Background::kSky:
      return color == Color::kBlue;
    case Background::kGrass:
      return color == Color::kGreen;
    case Background::kSand:
      return color == Color::kYellow;
    case Background::kSunset:
      return color == Color::kOrange;
  }
  return false;
}

std::string Concat(std::initializer_list<std::string_view> parts) {
  std::string text;
  for (const std::string_view part : parts) text += part;
  return text;
}

std::string WithArticle(std::string_view words) {
  const bool vowel =
      !words.empty() && std::string_view("aeiou").find(words.front()) != std::string_view::npos;
  return Concat({vowel ? "an " : "a ", words});
}

int Dice::Roll(int sides) {
  // SplitMix64.
  state_ += 0x9e3779b97f4a7c15;
  uint64_t x = state_;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  x ^= x >> 31;
  return static_cast<int>(x % static_cast<uint64_t>(sides));
}

}  // namespace ip2p::shapes
