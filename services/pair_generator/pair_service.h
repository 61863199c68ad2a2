// ip2p.pair.v1.PairService on gRPC's callback API: a call is an object that hears of its request, and holds
// no thread while it waits.
#pragma once

#include <cstddef>

#include "absl/time/time.h"
#include "common/rpc/call_scope.h"
#include "ip2p/pair/v1/pair_service.grpc.pb.h"
#include "services/pair_generator/pair_metrics.h"
#include "services/pair_generator/pair_queue.h"

namespace ip2p::pair_generator {

// What the calls share; must outlive the service.
struct PairServiceParts {
  CallEnvironment calls;
  PairQueue* queue = nullptr;
  PairMetrics* metrics = nullptr;
  absl::Duration send_timeout = absl::Seconds(60);
  size_t send_buffer_bytes = 64 << 20;
};

// Takes raw bytes, so that what does not parse gets INVALID_ARGUMENT like other bad input.
using PairServiceBase = pair::v1::PairService::WithRawCallbackMethod_GeneratePairs<
    pair::v1::PairService::WithCallbackMethod_GetCapabilities<pair::v1::PairService::Service>>;

class PairService final : public PairServiceBase {
 public:
  explicit PairService(const PairServiceParts& parts) : parts_(parts) {}

  grpc::ServerWriteReactor<grpc::ByteBuffer>* GeneratePairs(grpc::CallbackServerContext* context,
                                                            const grpc::ByteBuffer* request) override;
  grpc::ServerUnaryReactor* GetCapabilities(grpc::CallbackServerContext* context,
                                            const pair::v1::GetCapabilitiesRequest* request,
                                            pair::v1::GetCapabilitiesResponse* response) override;

 private:
  const PairServiceParts parts_;
};

}  // namespace ip2p::pair_generator
