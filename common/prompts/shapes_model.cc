#include "common/prompts/shapes_model.h"

#include <utility>

#include "common/shapes/edit_grammar.h"

namespace ip2p {

Task<Attempt> ShapesModel::Write(const Caption& caption, TryContext context) {
  Attempt attempt;
  attempt.model = "shapes";
  const absl::StatusOr<shapes::ToldScene> told = shapes::ParseCaption(caption.text);
  if (told.ok()) {
    shapes::EditedScene edited = shapes::RandomEdit(*told, context.seed);
    attempt.result = AttemptResult::kAnswered;
    attempt.edit = std::move(edited.instruction);
    attempt.output = std::move(edited.caption);
  } else {
    attempt.result = AttemptResult::kRefused;
    attempt.status = told.status();
  }
  co_return attempt;
}

}  // namespace ip2p
