// The two short calls; the edits are reactors of their own.
#include "services/edit_server/edit_service.h"

#include "services/edit_server/edit_proto.h"
#include "services/edit_server/edit_reactors.h"
#include "services/edit_server/model_proto.h"

namespace ip2p::edit_server {

grpc::ServerUnaryReactor* EditService::Edit(grpc::CallbackServerContext* context,
                                            const grpc::ByteBuffer* request, grpc::ByteBuffer* response) {
  auto* reactor = new EditReactor(parts_, context, response);  // deletes itself when the call is over
  reactor->Begin(*request);
  return reactor;
}

grpc::ServerWriteReactor<grpc::ByteBuffer>* EditService::StreamEdit(grpc::CallbackServerContext* context,
                                                                    const grpc::ByteBuffer* request) {
  auto* reactor = new StreamEditReactor(parts_, context);  // deletes itself when the call is over
  reactor->Begin(*request);
  return reactor;
}

grpc::ServerUnaryReactor* EditService::ListModels(grpc::CallbackServerContext* context,
                                                  const edit::v1::ListModelsRequest*,
                                                  edit::v1::ListModelsResponse* response) {
  CallScope call(*context, parts_.calls, "ListModels", Role::kEdit);
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  absl::Status status = call.admitted();
  if (status.ok()) {
    for (const ModelState& state : parts_.models->List()) *response->add_models() = ToProto(state.model);
    if (response->models().empty()) status = absl::UnavailableError("the models are still being loaded");
  }
  reactor->Finish(call.Finish(status));
  return reactor;
}

grpc::ServerUnaryReactor* EditService::GetCapabilities(grpc::CallbackServerContext* context,
                                                       const edit::v1::GetCapabilitiesRequest*,
                                                       edit::v1::GetCapabilitiesResponse* response) {
  CallScope call(*context, parts_.calls, "GetCapabilities", Role::kEdit);
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  if (call.admitted().ok()) {
    const absl::StatusOr<LoadedModel> model = parts_.models->Get("");
    const QueueLimits& limits = parts_.queue->limits();
    *response =
        CapabilitiesProto({limits.queue_limit, limits.client_limit, parts_.max_batch,
                           model.ok() ? model->engine->Estimate({}) : absl::ZeroDuration(),
                           (model.ok() ? model->engine->config() : ModelConfig()).native_resolution()});
  }
  reactor->Finish(call.Finish(call.admitted()));
  return reactor;
}

}  // namespace ip2p::edit_server
