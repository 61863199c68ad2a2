// The one place of this service that meets the real sampler.
#include "services/pair_generator/pair_server.h"

namespace ip2p::pair_generator {

PairServer::Loader TorchSamplers(const ServerConfig& config) {
  return
      [options = config.sampler](const ModelSpec& spec) { return PairSampler::Create(spec.models, options); };
}

}  // namespace ip2p::pair_generator
