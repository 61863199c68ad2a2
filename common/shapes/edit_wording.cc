// Templates: {it} is the object ("the circle", "the red circle"; "it" when there is only one), {c} a colour,
// {s} a shape with its article, {them} all objects, {p} a background's phrase ("on grass"), {b} its noun.
#include <initializer_list>
#include <utility>
#include <vector>

#include "absl/strings/str_replace.h"
#include "common/shapes/edit_grammar.h"
#include "common/shapes/vocabulary.h"

namespace ip2p::shapes {
namespace {

constexpr std::string_view kRecolour[] = {
    "make {it} {c}",         "turn {it} {c}",        "paint {it} {c}",
    "color {it} {c}",        "colour {it} in {c}",   "change {it} to {c}",
    "recolor {it} to {c}",   "let {it} be {c}",      "{it} should be {c}",
    "give {it} a {c} color", "dye {it} {c}",         "change the color of {it} to {c}",
    "have {it} painted {c}", "what if {it} was {c}", "as if {it} were {c}",
};

constexpr std::string_view kReshape[] = {
    "turn {it} into {s}",    "make {it} {s}",
    "change {it} into {s}",  "replace {it} with {s}",
    "swap {it} for {s}",     "transform {it} into {s}",
    "{it} should be {s}",    "let {it} become {s}",
    "as if {it} were {s}",   "change {it} to {s}",
    "exchange {it} for {s}", "morph {it} into {s}",
    "what if {it} was {s}",  "change the shape of {it} to {s}",
};

constexpr std::string_view kBackground[] = {
    "put {them} {p}",
    "place {them} {p}",
    "as if {p}",
    "show {them} {p}",
    "imagine {them} {p}",
    "change the background to {b}",
    "make the background {b}",
    "swap the background for {b}",
    "replace the background with {b}",
    "turn the background into {b}",
    "set the scene {p}",
    "have the background be {b}",
};

struct BackgroundWords {
  std::string_view noun;
  std::vector<std::string_view> own;  // wordings that only this background has
};

const BackgroundWords& WordsOf(Background background) {
  static const BackgroundWords words[kBackgrounds] = {
      {"white", {"clear the background"}},
      {"grey", {"make the background gray"}},
      {"black", {"darken the background to black"}},
      {"a blue sky", {"make it daytime", "let it be a clear day", "turn it into a bright day"}},
      {"grass", {"add grass behind", "let grass grow in the background"}},
      {"sand", {"take it to the beach", "bring it to the desert"}},
      {"a night sky with stars",
       {"make it night", "turn it into night", "as if at night", "let the stars come out",
        "it should be night", "change the time of day to night"}},
      {"a sunset",
       {"make it sunset", "let the sun go down", "turn it into a sunset", "it should be evening",
        "change the time of day to sunset"}}};
  return words[static_cast<size_t>(background)];
}

std::vector<std::string> NamesOf(const Scene& scene, size_t which) {
  const Object& object = scene.objects[which];
  const std::string shape(Word(object.shape));
  const std::string color(Word(object.color));
  std::vector<std::string> names = {Concat({"the ", color, " ", shape})};
  if (scene.objects.size() == 1) {
    names.push_back(Concat({"the ", shape}));
    names.emplace_back("it");
    return names;
  }
  if (scene.objects[1 - which].shape != object.shape) names.push_back(Concat({"the ", shape}));
  return names;
}

std::string Fill(std::string_view form,
                 std::initializer_list<std::pair<absl::string_view, std::string>> words) {
  return absl::StrReplaceAll(absl::string_view(form.data(), form.size()), words);
}

// All wordings of the edit.
std::vector<std::string> AllWordings(const SceneEdit& edit, const Scene& scene) {
  std::vector<std::string> all;
  if (edit.kind == EditKind::kBackground) {
    const BackgroundWords& words = WordsOf(edit.background);
    const std::string them = scene.objects.size() == 1 ? "it" : "them";
    for (const std::string_view form : kBackground) {
      for (const std::string_view phrase : Phrases(edit.background)) {
        all.push_back(
            Fill(form, {{"{them}", them}, {"{p}", std::string(phrase)}, {"{b}", std::string(words.noun)}}));
        if (form.find("{p}") == std::string_view::npos) break;  // one noun, many phrases
      }
    }
    for (const std::string_view own : words.own) all.emplace_back(own);
    return all;
  }
  const bool recolour = edit.kind == EditKind::kRecolour;
  const std::string color(Word(edit.color));
  const std::string shape = WithArticle(Word(edit.shape));
  for (const std::string& name : NamesOf(scene, edit.object)) {
    if (recolour) {
      for (const std::string_view form : kRecolour) {
        // The longer pattern goes first: "an orange color".
        all.push_back(
            Fill(form, {{"{it}", name}, {" a {c}", Concat({" ", WithArticle(color)})}, {"{c}", color}}));
      }
    } else {
      for (const std::string_view form : kReshape)
        all.push_back(Fill(form, {{"{it}", name}, {"{s}", shape}}));
    }
  }
  return all;
}

}  // namespace

std::string Instruction(const SceneEdit& edit, const Scene& scene, uint64_t variant) {
  const std::vector<std::string> all = AllWordings(edit, scene);
  return all[variant % all.size()];
}

size_t Wordings(const SceneEdit& edit, const Scene& scene) { return AllWordings(edit, scene).size(); }

}  // namespace ip2p::shapes
