// ip2p.training.v1.WorkerService, for the ranks of this coordinator's jobs. Raw bytes, as TrainingService.
#pragma once

#include "ip2p/training/v1/worker_service.grpc.pb.h"
#include "services/training_coordinator/coordinator.h"
#include "services/training_coordinator/log_book.h"
#include "services/training_coordinator/waiting_call.h"

namespace ip2p::training_coordinator {

// Must outlive the service.
struct WorkerServiceParts {
  CallParts calls;
  Coordinator* coordinator = nullptr;
  LogBooks* logs = nullptr;
  const JobFolders* folders = nullptr;
};

using WorkerServiceBase = training::v1::WorkerService::WithRawCallbackMethod_JoinGroup<
    training::v1::WorkerService::WithRawCallbackMethod_Heartbeat<
        training::v1::WorkerService::WithRawCallbackMethod_RecordCheckpoint<
            training::v1::WorkerService::WithRawCallbackMethod_AppendLogs<
                training::v1::WorkerService::WithRawCallbackMethod_LeaveGroup<
                    training::v1::WorkerService::Service>>>>>;

class WorkerService final : public WorkerServiceBase {
 public:
  explicit WorkerService(const WorkerServiceParts& parts) : parts_(parts) {}

  using Context = grpc::CallbackServerContext;
  using Unary = grpc::ServerUnaryReactor;
  using Bytes = grpc::ByteBuffer;

  Unary* JoinGroup(Context* context, const Bytes* request, Bytes* response) override;
  Unary* Heartbeat(Context* context, const Bytes* request, Bytes* response) override;
  Unary* RecordCheckpoint(Context* context, const Bytes* request, Bytes* response) override;
  Unary* AppendLogs(Context* context, const Bytes* request, Bytes* response) override;
  Unary* LeaveGroup(Context* context, const Bytes* request, Bytes* response) override;

 private:
  const WorkerServiceParts parts_;
};

}  // namespace ip2p::training_coordinator
