// The short call; the others are reactors of their own.
#include "services/prompt_generator/prompt_service.h"

#include "services/prompt_generator/prompt_call.h"
#include "services/prompt_generator/prompt_proto.h"
#include "services/prompt_generator/run_call.h"

namespace ip2p::prompt_generator {

grpc::ServerUnaryReactor* PromptService::GeneratePrompt(grpc::CallbackServerContext* context,
                                                        const grpc::ByteBuffer* request,
                                                        grpc::ByteBuffer* response) {
  auto* call = new PromptCall(parts_, context, response);  // deletes itself when the call is over
  call->Begin(*request);
  return call;
}

grpc::ServerWriteReactor<grpc::ByteBuffer>* PromptService::GeneratePrompts(
    grpc::CallbackServerContext* context, const grpc::ByteBuffer* request) {
  auto* call = new RunCall(parts_, context);  // deletes itself when the call is over
  call->Begin(*request);
  return call;
}

grpc::ServerUnaryReactor* PromptService::GetCapabilities(grpc::CallbackServerContext* context,
                                                         const prompt::v1::GetCapabilitiesRequest*,
                                                         prompt::v1::GetCapabilitiesResponse* response) {
  CallScope scope(*context, parts_.calls, "GetCapabilities", Role::kEdit);
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  if (scope.admitted().ok()) *response = CapabilitiesProto(*parts_.providers);
  parts_.metrics->OnCall("GetCapabilities", scope.admitted().code());
  reactor->Finish(scope.Finish(scope.admitted()));
  return reactor;
}

}  // namespace ip2p::prompt_generator
