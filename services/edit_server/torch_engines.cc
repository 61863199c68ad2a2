// The one place of this service that meets the real engine.
#include <utility>

#include "common/base/status_macros.h"
#include "common/checkpoint/model_source.h"
#include "services/edit_server/edit_server.h"

namespace ip2p::edit_server {

EditServer::EngineFactory TorchEngines(const ServerConfig& config) {
  const EngineOptions options{.device = config.device,
                              .precision = config.precision,
                              .max_batch = config.max_batch,
                              .threads = config.threads};
  return [options](const ModelSpec& spec,
                   EngineObserver* observer) -> absl::StatusOr<std::unique_ptr<EditEngine>> {
    IP2P_ASSIGN_OR_RETURN(const ModelSource source, OpenModel(spec.path, {.vae_path = spec.vae_path}));
    return EditEngine::Create(source, options, observer);
  };
}

}  // namespace ip2p::edit_server
