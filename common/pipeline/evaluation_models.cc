#include "common/pipeline/evaluation_models.h"

#include <utility>

#include "common/base/status_macros.h"
#include "common/model/fingerprint.h"
#include "common/pipeline/catch_torch.h"

namespace ip2p {

absl::StatusOr<EvaluationModels> OpenEvaluationModels(const EvaluationModelPaths& paths,
                                                      const EngineOptions& options, ClipInput clip_input) {
  IP2P_ASSIGN_OR_RETURN(const ModelSource model, OpenModel(paths.checkpoint, paths.open));
  IP2P_ASSIGN_OR_RETURN(const ClipSource clip, OpenClip(paths.clip));
  EvaluationModels models;
  IP2P_ASSIGN_OR_RETURN(models.engine, EditEngine::Create(model, options));
  IP2P_ASSIGN_OR_RETURN(models.scorer, EditScorer::Create(clip, options.device, clip_input));
  IP2P_ASSIGN_OR_RETURN(models.fingerprint, CatchTorch("reading the weights", [&] {
                          Fingerprint fingerprint;
                          fingerprint.Add(model);
                          fingerprint.Add(clip);
                          return fingerprint.Hex();
                        }));
  return models;
}

}  // namespace ip2p
