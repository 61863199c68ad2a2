// Pairs where no model is named: the miniature makes them.
#pragma once

#include "absl/status/status.h"
#include "common/pipeline/pair_sampler.h"

namespace ip2p {

// Puts the miniature's text-to-image model into `models`, and its CLIP where none is named there. NOT_FOUND,
// and nothing is changed, where it is not installed: "no model is named, and ...", for what is wanted to
// follow.
absl::Status TakeMiniature(PairModels& models);

}  // namespace ip2p
