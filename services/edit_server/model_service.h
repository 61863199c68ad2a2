// ip2p.model.v1.ModelService, on the admin port. A reload runs on a thread of its own, one at a time.
#pragma once

#include "common/base/worker_pool.h"
#include "common/rpc/call_scope.h"
#include "ip2p/model/v1/model_service.grpc.pb.h"
#include "services/edit_server/model_host.h"

namespace ip2p::edit_server {

class ModelService final : public model::v1::ModelService::CallbackService {
 public:
  // Both must outlive the service; a reload under way is waited for.
  ModelService(const CallEnvironment& calls, ModelHost& models) : calls_(calls), models_(models) {}

  grpc::ServerUnaryReactor* ListModels(grpc::CallbackServerContext* context,
                                       const model::v1::ListModelsRequest* request,
                                       model::v1::ListModelsResponse* response) override;
  grpc::ServerUnaryReactor* GetModel(grpc::CallbackServerContext* context,
                                     const model::v1::GetModelRequest* request,
                                     model::v1::GetModelResponse* response) override;
  grpc::ServerUnaryReactor* ReloadModel(grpc::CallbackServerContext* context,
                                        const model::v1::ReloadModelRequest* request,
                                        model::v1::ReloadModelResponse* response) override;

 private:
  const CallEnvironment calls_;
  ModelHost& models_;
  WorkerPool loader_{2};  // the second thread refuses a second reload at once
};

}  // namespace ip2p::edit_server
