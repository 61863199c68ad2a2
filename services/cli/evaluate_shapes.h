// `ip2p evaluate --profile shapes`: the miniature, part by part, on scenes that it never saw.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "common/evaluation/shapes_profile.h"
#include "services/cli/console.h"
#include "services/cli/model_flags.h"

namespace ip2p {

struct ShapesEvaluation {
  ShapesOptions options;
  std::string models;         // folder with edit/, clip/ and text-to-image/; empty: the one that is shipped
  std::string clip;           // in place of its own; empty: its own
  std::string text_to_image;  // likewise
  std::string out_dir;
  bool json = false;
};

// `edit` names the edit model (its path empty: that of `models`) and how networks run. Errors: of the
// loaders, the models, the disk; CANCELLED.
absl::Status EvaluateShapes(const ShapesEvaluation& evaluation, const LocalModel& edit, Console& console);

}  // namespace ip2p
