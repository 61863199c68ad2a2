// The models of an evaluation, opened together: the one that edits and the CLIP that judges. No torch in this
// header.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/checkpoint/model_source.h"
#include "common/pipeline/edit_engine.h"
#include "common/pipeline/edit_scorer.h"

namespace ip2p {

struct EvaluationModelPaths {
  std::string checkpoint;  // an edit model in any layout that OpenModel reads
  ModelOpenOptions open;
  std::string clip;  // transformers folder
};

struct EvaluationModels {
  std::unique_ptr<EditEngine> engine;
  std::unique_ptr<EditScorer> scorer;
  std::string fingerprint;  // 128 bits of both models' tensors and configs, hexadecimal
};

// Loads the weights (seconds, gigabytes). Errors: those of OpenModel, OpenClip, EditEngine and EditScorer.
absl::StatusOr<EvaluationModels> OpenEvaluationModels(const EvaluationModelPaths& paths,
                                                      const EngineOptions& options, ClipInput clip_input);

}  // namespace ip2p
