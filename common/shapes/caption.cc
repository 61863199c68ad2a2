#include "common/shapes/caption.h"

#include <algorithm>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/shapes/vocabulary.h"

namespace ip2p::shapes {
namespace {

const std::vector<std::string_view>& Openings() {
  static const std::vector<std::string_view> openings = {
      "", "a picture of", "an image of", "a drawing of", "a photo of", "there is"};
  return openings;
}

std::string_view Pick(const std::vector<std::string_view>& words, int which) {
  return words[which >= 0 && static_cast<size_t>(which) < words.size() ? static_cast<size_t>(which) : 0];
}

std::string Tell(const Object& object, const Wording& wording, size_t nth) {
  std::string words;
  if (object.size) words = Concat({Pick(Words(*object.size), wording.size[nth]), " "});
  words += Word(object.color);
  words += ' ';
  words += Word(object.shape);
  words = WithArticle(words);
  if (object.place) words += Concat({" ", Pick(Phrases(*object.place), wording.place[nth])});
  return words;
}

Wording RollWording(Dice& dice, const Scene& scene) {
  Wording wording;
  wording.opening = dice.Roll(2) == 0 ? 0 : dice.Roll(static_cast<int>(Openings().size()));
  for (size_t i = 0; i < scene.objects.size(); ++i) {
    const Object& object = scene.objects[i];
    if (object.size) wording.size[i] = dice.Roll(static_cast<int>(Words(*object.size).size()));
    if (object.place) wording.place[i] = dice.Roll(static_cast<int>(Phrases(*object.place).size()));
  }
  wording.background = dice.Roll(static_cast<int>(Phrases(scene.background).size()));
  return wording;
}

// Words of a caption, read from the front.
class WordReader {
 public:
  explicit WordReader(std::string text) : text_(std::move(text)) {}

  bool Done() const { return at_ >= text_.size(); }
  std::string_view Peek() const {
    const std::string_view rest = Rest();
    return rest.substr(0, rest.find(' '));
  }
  // Takes the phrase when the words ahead are it.
  bool Take(std::string_view phrase) {
    const std::string_view rest = Rest();
    if (!rest.starts_with(phrase) || (rest.size() > phrase.size() && rest[phrase.size()] != ' '))
      return false;
    at_ += phrase.size() + 1;
    return true;
  }
  // Takes one of the phrases; its number, or -1.
  int TakeAny(const std::vector<std::string_view>& phrases) {
    for (size_t i = 0; i < phrases.size(); ++i) {
      if (!phrases[i].empty() && Take(phrases[i])) return static_cast<int>(i);
    }
    return -1;
  }

 private:
  std::string_view Rest() const { return Done() ? std::string_view() : std::string_view(text_).substr(at_); }

  const std::string text_;
  size_t at_ = 0;
};

absl::Status NotUnderstood(const WordReader& words, absl::string_view wanted) {
  const std::string_view found = words.Done() ? "the end" : words.Peek();
  return absl::InvalidArgumentError(absl::StrCat(
      "the caption has \"", absl::string_view(found.data(), found.size()), "\" where it wants ", wanted));
}

absl::StatusOr<Object> ReadObject(WordReader& words, Wording& wording, size_t nth) {
  Object object;
  if (!words.Take("a") && !words.Take("an") && !words.Take("the") && !words.Take("one")) {
    return NotUnderstood(words, "an article");
  }
  for (int size = 0; size < kSizes && !object.size; ++size) {
    const int which = words.TakeAny(Words(static_cast<Size>(size)));
    if (which < 0) continue;
    object.size = static_cast<Size>(size);
    wording.size[nth] = which;
  }
  const std::optional<Color> color = ColorOf(words.Peek());
  if (!color) return NotUnderstood(words, "a colour");
  words.Take(Word(*color));
  const std::optional<Shape> shape = ShapeOf(words.Peek());
  if (!shape) return NotUnderstood(words, "a shape");
  words.Take(Word(*shape));
  object.color = *color;
  object.shape = *shape;
  for (int place = 0; place < kPlaces && !object.place; ++place) {
    const int which = words.TakeAny(Phrases(static_cast<Place>(place)));
    if (which < 0) continue;
    object.place = static_cast<Place>(place);
    wording.place[nth] = which;
  }
  return object;
}

// Lower case, single blanks, no full stop.
std::string Plain(std::string_view caption, Wording& wording) {
  std::string text;
  for (const char c : caption) {
    if (absl::ascii_isspace(static_cast<unsigned char>(c))) {
      if (!text.empty() && text.back() != ' ') text += ' ';
    } else {
      text += absl::ascii_tolower(static_cast<unsigned char>(c));
    }
  }
  while (text.ends_with(' ')) text.pop_back();
  wording.full_stop = text.ends_with('.');
  if (wording.full_stop) text.pop_back();
  wording.capital = !caption.empty() && absl::ascii_isupper(static_cast<unsigned char>(caption.front()));
  return text;
}

}  // namespace

std::string Caption(const Scene& scene, const Wording& wording) {
  std::string text(Pick(Openings(), wording.opening));
  if (!text.empty()) text += ' ';
  for (size_t i = 0; i < scene.objects.size(); ++i) {
    if (i > 0) text += " and ";
    text += Tell(scene.objects[i], wording, i);
  }
  text += Concat({" ", Pick(Phrases(scene.background), wording.background)});
  if (wording.capital) text.front() = absl::ascii_toupper(static_cast<unsigned char>(text.front()));
  if (wording.full_stop) text += '.';
  return text;
}

absl::StatusOr<ToldScene> ParseCaption(std::string_view caption) {
  ToldScene told;
  WordReader words(Plain(caption, told.wording));
  if (const int opening = words.TakeAny(Openings()); opening > 0) told.wording.opening = opening;
  IP2P_ASSIGN_OR_RETURN(const Object first, ReadObject(words, told.wording, 0));
  told.scene.objects.push_back(first);
  if (words.Take("and")) {
    IP2P_ASSIGN_OR_RETURN(const Object second, ReadObject(words, told.wording, 1));
    told.scene.objects.push_back(second);
  }
  for (int background = 0; background < kBackgrounds && !words.Done(); ++background) {
    const int which = words.TakeAny(Phrases(static_cast<Background>(background)));
    if (which < 0) continue;
    told.scene.background = static_cast<Background>(background);
    told.wording.background = which;
    break;
  }
  if (!words.Done()) return NotUnderstood(words, "a place, a background or the end");
  if (told.scene.objects.size() == 2 && AreTwins(first, told.scene.objects[1])) {
    return absl::InvalidArgumentError("the caption names the same object twice; wants two that differ");
  }
  return told;
}

ToldScene RandomScene(uint64_t seed, PlacesTold places, int most_objects) {
  Dice dice(seed);
  ToldScene told;
  told.scene.background = static_cast<Background>(dice.Roll(kBackgrounds));
  const int count = std::min(1 + dice.Roll(2), most_objects);
  while (static_cast<int>(told.scene.objects.size()) < count) {
    Object object{static_cast<Shape>(dice.Roll(kShapes)), static_cast<Color>(dice.Roll(kColors))};
    if (Clashes(object.color, told.scene.background)) continue;
    if (!told.scene.objects.empty() && AreTwins(object, told.scene.objects[0])) continue;
    if (dice.Roll(3) == 0) object.size = static_cast<Size>(dice.Roll(kSizes));
    if (dice.Roll(3) < static_cast<int>(places)) object.place = static_cast<Place>(dice.Roll(kPlaces));
    if (count == 2 && !told.scene.objects.empty() && object.place == told.scene.objects[0].place) {
      object.place.reset();  // not both in one place
    }
    told.scene.objects.push_back(object);
  }
  told.wording = RollWording(dice, told.scene);
  return told;
}

Wording RandomWording(const Scene& scene, uint64_t seed) {
  Dice dice(seed);
  return RollWording(dice, scene);
}

}  // namespace ip2p::shapes
