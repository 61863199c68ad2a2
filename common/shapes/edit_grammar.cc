// Which edits there are; edit_wording.cc puts them into words.
#include "common/shapes/edit_grammar.h"

#include <algorithm>

#include "common/shapes/vocabulary.h"

namespace ip2p::shapes {
namespace {

bool HasTwins(const Scene& scene) {
  const auto& objects = scene.objects;
  return objects.size() == 2 && AreTwins(objects[0], objects[1]);
}

void AddIfPossible(const SceneEdit& edit, const Scene& scene, std::vector<SceneEdit>& edits) {
  if (Apply(edit, scene).ok()) edits.push_back(edit);
}

}  // namespace

absl::StatusOr<Scene> Apply(const SceneEdit& edit, const Scene& scene) {
  Scene after = scene;
  if (edit.kind == EditKind::kBackground) {
    after.background = edit.background;
  } else if (edit.object >= scene.objects.size()) {
    return absl::InvalidArgumentError("the edit names an object that is not there");
  } else if (edit.kind == EditKind::kRecolour) {
    after.objects[edit.object].color = edit.color;
  } else {
    after.objects[edit.object].shape = edit.shape;
  }
  if (after == scene) return absl::InvalidArgumentError("the edit changes nothing");
  if (HasTwins(after)) return absl::InvalidArgumentError("the edit makes both objects equal");
  for (const Object& object : after.objects) {
    if (Clashes(object.color, after.background) && edit.kind != EditKind::kReshape) {
      return absl::InvalidArgumentError("the edit makes an object drown in the background");
    }
  }
  return after;
}

std::vector<SceneEdit> PossibleEdits(const Scene& scene) {
  std::vector<SceneEdit> edits;
  for (size_t object = 0; object < scene.objects.size(); ++object) {
    for (int color = 0; color < kColors; ++color) {
      AddIfPossible({.kind = EditKind::kRecolour, .object = object, .color = static_cast<Color>(color)},
                    scene, edits);
    }
    for (int shape = 0; shape < kShapes; ++shape) {
      AddIfPossible({.kind = EditKind::kReshape, .object = object, .shape = static_cast<Shape>(shape)}, scene,
                    edits);
    }
  }
  for (int background = 0; background < kBackgrounds; ++background) {
    AddIfPossible({.kind = EditKind::kBackground, .background = static_cast<Background>(background)}, scene,
                  edits);
  }
  return edits;
}

EditedScene RandomEdit(const ToldScene& told, uint64_t seed) {
  Dice dice(seed);
  std::vector<SceneEdit> edits = PossibleEdits(told.scene);  // never empty: every scene can be reshaped
  while (true) {
    const auto kind = static_cast<EditKind>(dice.Roll(3));
    std::vector<SceneEdit> of_kind;
    std::copy_if(edits.begin(), edits.end(), std::back_inserter(of_kind),
                 [kind](const SceneEdit& edit) { return edit.kind == kind; });
    if (of_kind.empty()) continue;
    EditedScene edited;
    edited.edit = of_kind[static_cast<size_t>(dice.Roll(static_cast<int>(of_kind.size())))];
    const auto variant = static_cast<uint64_t>(dice.Roll(1 << 30));
    edited.instruction = Instruction(edited.edit, told.scene, variant);
    edited.after = *Apply(edited.edit, told.scene);
    Wording wording = told.wording;
    if (kind == EditKind::kBackground) {
      wording.background = dice.Roll(static_cast<int>(Phrases(edited.edit.background).size()));
    }
    edited.caption = Caption(edited.after, wording);
    return edited;
  }
}

std::string EditBack(const ToldScene& told, uint64_t seed) {
  const EditedScene other = RandomEdit(told, seed);
  SceneEdit back = other.edit;
  if (back.kind == EditKind::kBackground) {
    back.background = told.scene.background;
  } else {
    back.color = told.scene.objects[back.object].color;
    back.shape = told.scene.objects[back.object].shape;
  }
  Dice dice(seed + 1);
  return Instruction(back, other.after, static_cast<uint64_t>(dice.Roll(1 << 30)));
}

}  // namespace ip2p::shapes
