// Edit instructions for the miniature world: another colour or shape for one object, or another background or
// time of day, in many wordings, with the caption that results. Pure functions, the same for a seed
// everywhere.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "common/shapes/caption.h"

namespace ip2p::shapes {

enum class EditKind { kRecolour, kReshape, kBackground };

struct SceneEdit {
  EditKind kind = EditKind::kRecolour;
  size_t object = 0;  // which one, of a recolour or reshape
  Color color = Color::kRed;
  Shape shape = Shape::kCircle;
  Background background = Background::kWhite;
  friend bool operator==(const SceneEdit&, const SceneEdit&) = default;
};

struct EditedScene {
  SceneEdit edit;
  std::string instruction;  // "make the circle green"
  Scene after;
  std::string caption;  // of `after`, in the words of the caption before
};

// What the scene becomes. INVALID_ARGUMENT: the edit changes nothing, makes two objects equal, or makes an
// object drown in the background.
absl::StatusOr<Scene> Apply(const SceneEdit& edit, const Scene& scene);

// Every edit that Apply allows.
std::vector<SceneEdit> PossibleEdits(const Scene& scene);

// One of them: first the kind, with equal chances, then one of that kind, then a wording.
EditedScene RandomEdit(const ToldScene& told, uint64_t seed);

// An instruction that leads to this scene from another one, which a RandomEdit of it is: to the scene itself
// it changes nothing.
std::string EditBack(const ToldScene& told, uint64_t seed);

// The instruction in one of its wordings; `variant` is taken modulo their number.
std::string Instruction(const SceneEdit& edit, const Scene& scene, uint64_t variant);
// How many wordings that edit has.
size_t Wordings(const SceneEdit& edit, const Scene& scene);

}  // namespace ip2p::shapes
