// The writer that needs no network, no key and no money: the grammar of the miniature world (common/shapes).
// The same seed gives the same edit. A caption that is not of that world is refused. One thread.
#pragma once

#include "common/prompts/prompt_model.h"

namespace ip2p {

class ShapesModel final : public PromptModel {
 public:
  Task<Attempt> Write(const Caption& caption, TryContext context) override;
};

}  // namespace ip2p
