// The short call; the other is a reactor of its own.
#include "services/pair_generator/pair_service.h"

#include "services/pair_generator/pair_call.h"
#include "services/pair_generator/pair_proto.h"

namespace ip2p::pair_generator {

grpc::ServerWriteReactor<grpc::ByteBuffer>* PairService::GeneratePairs(grpc::CallbackServerContext* context,
                                                                       const grpc::ByteBuffer* request) {
  auto* call = new PairCall(parts_, context);  // deletes itself when the call is over
  call->Begin(*request);
  return call;
}

grpc::ServerUnaryReactor* PairService::GetCapabilities(grpc::CallbackServerContext* context,
                                                       const pair::v1::GetCapabilitiesRequest*,
                                                       pair::v1::GetCapabilitiesResponse* response) {
  CallScope scope(*context, parts_.calls, "GetCapabilities", Role::kEdit);
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  if (scope.admitted().ok()) *response = CapabilitiesProto(parts_.queue->Models());
  parts_.metrics->OnCall("GetCapabilities", scope.admitted().code());
  reactor->Finish(scope.Finish(scope.admitted()));
  return reactor;
}

}  // namespace ip2p::pair_generator
