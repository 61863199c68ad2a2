// Of ip2p-torch: the one place of the client that meets the real engine.
#include "services/cli/torch_verbs.h"

namespace ip2p {
namespace {

absl::StatusOr<std::unique_ptr<EditEngine>> CreateEngine(const ModelSource& source,
                                                         const EngineOptions& options) {
  return EditEngine::Create(source, options);
}

}  // namespace

const TorchVerbs* TorchVerbsHere() {
  static constexpr TorchVerbs kVerbs{.create_engine = CreateEngine,
                                     .create_sampler = PairSampler::Create,
                                     .open_evaluation = OpenEvaluationModels,
                                     .create_probe = PartProbe::Create};
  return &kVerbs;
}

}  // namespace ip2p
