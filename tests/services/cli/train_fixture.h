// The client against a training coordinator inside of the test, which answers with what the test sets and
// remembers what it was asked.
#pragma once

#include <grpcpp/server_builder.h>

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "ip2p/training/v1/training_service.grpc.pb.h"
#include "tests/services/cli/cli_fixture.h"

namespace ip2p::testing {

namespace v1 = training::v1;

// One stream: what it sends, and how it ends.
template <typename Event>
struct Stream {
  std::vector<Event> events;
  grpc::Status status;
};

class FakeTrainingService : public v1::TrainingService::Service {
 public:
  grpc::Status SubmitJob(grpc::ServerContext*, const v1::SubmitJobRequest* request,
                         v1::SubmitJobResponse* answer) override {
    submitted = *request;
    *answer->mutable_job() = job;
    return status;
  }
  grpc::Status GetJob(grpc::ServerContext*, const v1::GetJobRequest* request,
                      v1::GetJobResponse* answer) override {
    asked = request->job_id();
    *answer->mutable_job() = job;
    return status;
  }
  grpc::Status ListJobs(grpc::ServerContext*, const v1::ListJobsRequest* request,
                        v1::ListJobsResponse* answer) override {
    listed = *request;
    *answer->add_jobs() = job;
    answer->set_next_page_token("7");
    return status;
  }
  grpc::Status WatchJob(grpc::ServerContext*, const v1::WatchJobRequest* request,
                        grpc::ServerWriter<v1::WatchJobResponse>* writer) override {
    watched = *request;
    const grpc::Status ended = Play(watches, writer);
    if (on_watched) on_watched();
    return ended;
  }
  grpc::Status StreamLogs(grpc::ServerContext*, const v1::StreamLogsRequest* request,
                          grpc::ServerWriter<v1::StreamLogsResponse>* writer) override {
    log_requests.push_back(*request);
    return Play(logs, writer);
  }
  grpc::Status PauseJob(grpc::ServerContext*, const v1::PauseJobRequest* request,
                        v1::PauseJobResponse* answer) override {
    asked = request->job_id();
    *answer->mutable_job() = job;
    return status;
  }
  grpc::Status ResumeJob(grpc::ServerContext*, const v1::ResumeJobRequest* request,
                         v1::ResumeJobResponse* answer) override {
    resumed = *request;
    *answer->mutable_job() = job;
    return status;
  }
  grpc::Status CancelJob(grpc::ServerContext*, const v1::CancelJobRequest* request,
                         v1::CancelJobResponse* answer) override {
    cancelled = *request;
    *answer->mutable_job() = job;
    return status;
  }
  grpc::Status SaveCheckpoint(grpc::ServerContext*, const v1::SaveCheckpointRequest* request,
                              v1::SaveCheckpointResponse* answer) override {
    asked = request->job_id();
    *answer->mutable_checkpoint() = checkpoint;
    return status;
  }
  grpc::Status ListCheckpoints(grpc::ServerContext*, const v1::ListCheckpointsRequest* request,
                               v1::ListCheckpointsResponse* answer) override {
    asked = request->job_id();
    *answer->add_checkpoints() = checkpoint;
    return status;
  }
  grpc::Status PromoteCheckpoint(grpc::ServerContext*, const v1::PromoteCheckpointRequest* request,
                                 v1::PromoteCheckpointResponse* answer) override {
    promoted = *request;
    *answer->mutable_checkpoint() = checkpoint;
    answer->set_model("sd15-edit");
    return status;
  }
  grpc::Status DeleteJob(grpc::ServerContext*, const v1::DeleteJobRequest* request,
                         v1::DeleteJobResponse*) override {
    asked = request->job_id();
    return status;
  }

  // What is answered.
  v1::Job job;
  v1::Checkpoint checkpoint;
  grpc::Status status;
  std::deque<Stream<v1::WatchJobResponse>> watches;  // one a call; the last again and again
  std::deque<Stream<v1::StreamLogsResponse>> logs;
  std::function<void()> on_watched;

  // What was asked.
  std::string asked;
  v1::SubmitJobRequest submitted;
  v1::ListJobsRequest listed;
  v1::WatchJobRequest watched;
  std::vector<v1::StreamLogsRequest> log_requests;
  v1::ResumeJobRequest resumed;
  v1::CancelJobRequest cancelled;
  v1::PromoteCheckpointRequest promoted;

 private:
  template <typename Event>
  static grpc::Status Play(std::deque<Stream<Event>>& streams, grpc::ServerWriter<Event>* writer) {
    if (streams.empty()) return {grpc::StatusCode::INTERNAL, "the test sets no stream"};
    const Stream<Event> stream = streams.front();
    if (streams.size() > 1) streams.pop_front();
    for (const Event& event : stream.events) writer->Write(event);
    return stream.status;
  }
};

class TrainTest : public CliTest {
 protected:
  TrainTest() {
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    address_ = absl::StrCat("127.0.0.1:", port);
    service_.job = JobAt(v1::JOB_STATE_RUNNING, 500);
    service_.checkpoint.set_step(400);
    service_.checkpoint.set_loss(0.25);
    service_.checkpoint.set_size_bytes(3 << 20);
    service_.checkpoint.add_promoted_to("sd15-edit");
  }
  ~TrainTest() override { server_->Shutdown(); }

  // Of 1000 steps; step 0: none yet.
  static v1::Job JobAt(v1::JobState state, int64_t step) {
    v1::Job job;
    job.set_id("first-ab12");
    job.set_state(state);
    v1::JobSpec& spec = *job.mutable_spec();
    spec.set_name("first");
    spec.set_objective(v1::OBJECTIVE_INSTRUCT_PIX2PIX);
    spec.set_dataset("datasets/pairs");
    spec.set_base_checkpoint("models/sd15");
    spec.set_max_restarts(10);
    spec.mutable_params()->set_max_steps(1000);
    spec.mutable_params()->set_batch_size(32);
    spec.mutable_resources()->set_world_size(2);
    spec.mutable_resources()->set_threads(4);
    job.mutable_create_time()->set_seconds(1'700'000'000);
    if (step == 0) return job;
    v1::TrainMetrics& metrics = *job.mutable_metrics();
    metrics.set_step(step);
    metrics.set_loss(100.0 / static_cast<double>(step));
    metrics.mutable_step_duration()->set_seconds(2);
    metrics.mutable_remaining()->set_seconds(750);
    return job;
  }
  static v1::WatchJobResponse Event(const v1::Job& job) {
    v1::WatchJobResponse event;
    *event.mutable_job() = job;
    return event;
  }

  // `ip2p train VERB ... --server`.
  int Train(std::vector<std::string> args) {
    args.insert(args.begin(), "train");
    args.insert(args.end(), {"--server", address_});
    return Run(args);
  }

  FakeTrainingService service_;
  std::unique_ptr<grpc::Server> server_;
  std::string address_;
};

}  // namespace ip2p::testing
