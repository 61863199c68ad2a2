// A caller that stops waiting for its reload doesn't stop the reload.
#include "services/edit_server/model_service.h"

#include <memory>
#include <utility>

#include "common/rpc/duration_proto.h"
#include "services/edit_server/model_proto.h"

namespace ip2p::edit_server {

grpc::ServerUnaryReactor* ModelService::ListModels(grpc::CallbackServerContext* context,
                                                   const model::v1::ListModelsRequest*,
                                                   model::v1::ListModelsResponse* response) {
  CallScope call(*context, calls_, "admin.ListModels", Role::kAdmin);
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  if (call.admitted().ok()) {
    for (const ModelState& state : models_.List()) *response->add_models() = ToProto(state);
  }
  reactor->Finish(call.Finish(call.admitted()));
  return reactor;
}

grpc::ServerUnaryReactor* ModelService::GetModel(grpc::CallbackServerContext* context,
                                                 const model::v1::GetModelRequest* request,
                                                 model::v1::GetModelResponse* response) {
  CallScope call(*context, calls_, "admin.GetModel", Role::kAdmin);
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  absl::Status status = call.admitted();
  if (status.ok()) {
    absl::StatusOr<ModelState> state = models_.GetState(request->name());
    if (state.ok()) *response->mutable_model() = ToProto(*state);
    status = state.status();
  }
  reactor->Finish(call.Finish(status));
  return reactor;
}

grpc::ServerUnaryReactor* ModelService::ReloadModel(grpc::CallbackServerContext* context,
                                                    const model::v1::ReloadModelRequest* request,
                                                    model::v1::ReloadModelResponse* response) {
  auto call = std::make_unique<CallScope>(*context, calls_, "admin.ReloadModel", Role::kAdmin);
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  if (!call->admitted().ok()) {
    reactor->Finish(call->Finish(call->admitted()));
    return reactor;
  }
  // Context, request and response live until Finish.
  loader_.Post([this, reactor, request, response, scope = std::move(call)]() mutable {
    const absl::Time start = calls_.clock->Now();
    absl::StatusOr<ModelState> state = models_.Reload(request->name(), request->checkpoint());
    if (state.ok()) {
      *response->mutable_model() = ToProto(*state);
      *response->mutable_load_time() = DurationProto(calls_.clock->Now() - start);
    }
    const grpc::Status outcome = scope->Finish(state.status());
    state = absl::CancelledError();  // lets go of the model before the call is over
    scope.reset();
    reactor->Finish(outcome);
  });
  return reactor;
}

}  // namespace ip2p::edit_server
