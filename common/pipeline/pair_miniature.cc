#include "common/pipeline/pair_miniature.h"

#include "absl/strings/str_cat.h"
#include "common/base/miniature.h"

namespace ip2p {

absl::Status TakeMiniature(PairModels& models) {
  absl::StatusOr<std::string> model = FindMiniature("text-to-image");
  if (!model.ok())
    return absl::NotFoundError(absl::StrCat("no model is named, and ", model.status().message()));
  models.checkpoint = *std::move(model);
  if (models.clip.empty()) models.clip = FindMiniature("clip").value_or("");
  return absl::OkStatus();
}

}  // namespace ip2p
