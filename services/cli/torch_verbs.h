// What commands do in this process with torch. `ip2p` has none of it, so that it starts at once and stays
// small; ip2p-torch is the same client with all of it, and `ip2p` becomes it when a command needs it.
//
// A command that does: one entry here, `chosen.needs_torch = true` where its flags are parsed, its function
// in torch_verbs.cc.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "common/pipeline/edit_engine.h"
#include "common/pipeline/evaluation_models.h"
#include "common/pipeline/pair_sampler.h"
#include "common/pipeline/part_probe.h"

namespace ip2p {

struct TorchVerbs {
  absl::StatusOr<std::unique_ptr<EditEngine>> (*create_engine)(const ModelSource& source,
                                                               const EngineOptions& options);
  absl::StatusOr<std::unique_ptr<PairSampler>> (*create_sampler)(const PairModels& models,
                                                                 const PairSamplerOptions& options);
  absl::StatusOr<EvaluationModels> (*open_evaluation)(const EvaluationModelPaths& paths,
                                                      const EngineOptions& options, ClipInput clip_input);
  absl::StatusOr<std::unique_ptr<PartProbe>> (*create_probe)(const ModelSource& model, const ClipSource& clip,
                                                             const std::string& device);
};

// Those of this program; null when it has none. Defined in torch_verbs.cc and in no_torch_verbs.cc: a program
// links one of the two.
const TorchVerbs* TorchVerbsHere();

}  // namespace ip2p
