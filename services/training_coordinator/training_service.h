// ip2p.training.v1.TrainingService, for operators. Every method takes raw bytes, so that what does not parse
// gets INVALID_ARGUMENT like other bad input.
#pragma once

#include "ip2p/training/v1/training_service.grpc.pb.h"
#include "services/training_coordinator/coordinator.h"
#include "services/training_coordinator/log_book.h"
#include "services/training_coordinator/promotion.h"
#include "services/training_coordinator/training_proto.h"
#include "services/training_coordinator/waiting_call.h"

namespace ip2p::training_coordinator {

// Must outlive the service.
struct TrainingServiceParts {
  CallParts calls;
  CallParts slow_calls;  // with threads of their own: what reads gigabytes doesn't hold up the others
  SpecEnvironment environment;
  Coordinator* coordinator = nullptr;
  Promotion* promotion = nullptr;
  LogBooks* logs = nullptr;
  const JobFolders* folders = nullptr;
};

template <typename Base>
using RawReads = training::v1::TrainingService::WithRawCallbackMethod_GetJob<
    training::v1::TrainingService::WithRawCallbackMethod_ListJobs<
        training::v1::TrainingService::WithRawCallbackMethod_WatchJob<
            training::v1::TrainingService::WithRawCallbackMethod_StreamLogs<
                training::v1::TrainingService::WithRawCallbackMethod_ListCheckpoints<Base>>>>>;
template <typename Base>
using RawMoves = training::v1::TrainingService::WithRawCallbackMethod_SubmitJob<
    training::v1::TrainingService::WithRawCallbackMethod_PauseJob<
        training::v1::TrainingService::WithRawCallbackMethod_ResumeJob<
            training::v1::TrainingService::WithRawCallbackMethod_CancelJob<
                training::v1::TrainingService::WithRawCallbackMethod_SaveCheckpoint<
                    training::v1::TrainingService::WithRawCallbackMethod_PromoteCheckpoint<
                        training::v1::TrainingService::WithRawCallbackMethod_DeleteJob<Base>>>>>>>;

class TrainingService final : public RawReads<RawMoves<training::v1::TrainingService::Service>> {
 public:
  explicit TrainingService(const TrainingServiceParts& parts) : parts_(parts) {}

  using Context = grpc::CallbackServerContext;
  using Unary = grpc::ServerUnaryReactor;
  using Stream = grpc::ServerWriteReactor<grpc::ByteBuffer>;
  using Bytes = grpc::ByteBuffer;

  Unary* SubmitJob(Context* context, const Bytes* request, Bytes* response) override;
  Unary* GetJob(Context* context, const Bytes* request, Bytes* response) override;
  Unary* ListJobs(Context* context, const Bytes* request, Bytes* response) override;
  Stream* WatchJob(Context* context, const Bytes* request) override;
  Stream* StreamLogs(Context* context, const Bytes* request) override;
  Unary* PauseJob(Context* context, const Bytes* request, Bytes* response) override;
  Unary* ResumeJob(Context* context, const Bytes* request, Bytes* response) override;
  Unary* CancelJob(Context* context, const Bytes* request, Bytes* response) override;
  Unary* SaveCheckpoint(Context* context, const Bytes* request, Bytes* response) override;
  Unary* ListCheckpoints(Context* context, const Bytes* request, Bytes* response) override;
  Unary* PromoteCheckpoint(Context* context, const Bytes* request, Bytes* response) override;
  Unary* DeleteJob(Context* context, const Bytes* request, Bytes* response) override;

 private:
  const TrainingServiceParts parts_;
};

}  // namespace ip2p::training_coordinator
