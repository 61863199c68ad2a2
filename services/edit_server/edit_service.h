// ip2p.edit.v1.EditService on gRPC's callback API: a call is an object that hears of its edit, and holds no
// thread while it waits. A slow reader costs one pending message; one that takes nothing any more is cut off
// after send_timeout.
#pragma once

#include <string>

#include "absl/time/time.h"
#include "common/rpc/call_scope.h"
#include "ip2p/edit/v1/edit_service.grpc.pb.h"
#include "services/edit_server/edit_metrics.h"
#include "services/edit_server/edit_queue.h"
#include "services/edit_server/model_host.h"

namespace ip2p::edit_server {

// What the calls share; must outlive the service.
struct EditServiceParts {
  CallEnvironment calls;
  EditQueue* queue = nullptr;
  ModelHost* models = nullptr;
  EditMetrics* metrics = nullptr;
  int max_batch = 1;
  absl::Duration send_timeout = absl::Seconds(60);
};

// Edit and StreamEdit take raw bytes, so that what does not parse gets INVALID_ARGUMENT like other bad input.
using EditServiceBase =
    edit::v1::EditService::WithRawCallbackMethod_Edit<edit::v1::EditService::WithRawCallbackMethod_StreamEdit<
        edit::v1::EditService::WithCallbackMethod_ListModels<
            edit::v1::EditService::WithCallbackMethod_GetCapabilities<edit::v1::EditService::Service>>>>;

class EditService final : public EditServiceBase {
 public:
  explicit EditService(const EditServiceParts& parts) : parts_(parts) {}

  grpc::ServerUnaryReactor* Edit(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                 grpc::ByteBuffer* response) override;
  grpc::ServerWriteReactor<grpc::ByteBuffer>* StreamEdit(grpc::CallbackServerContext* context,
                                                         const grpc::ByteBuffer* request) override;
  grpc::ServerUnaryReactor* ListModels(grpc::CallbackServerContext* context,
                                       const edit::v1::ListModelsRequest* request,
                                       edit::v1::ListModelsResponse* response) override;
  grpc::ServerUnaryReactor* GetCapabilities(grpc::CallbackServerContext* context,
                                            const edit::v1::GetCapabilitiesRequest* request,
                                            edit::v1::GetCapabilitiesResponse* response) override;

 private:
  const EditServiceParts parts_;
};

}  // namespace ip2p::edit_server
