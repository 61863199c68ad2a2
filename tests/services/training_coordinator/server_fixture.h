// A coordinator on free ports of this machine, over the fake world, and clients of it.
#pragma once

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/rpc/status.h"
#include "grpcpp/create_channel.h"
#include "services/training_coordinator/training_server.h"
#include "tests/services/training_coordinator/fake_world.h"

namespace ip2p::training_coordinator {

namespace v1 = training::v1;

class ServerTest : public ::testing::Test {
 protected:
  ServerTest() {
    config_.listen = "127.0.0.1:0";
    config_.worker_listen = "127.0.0.1:0";
    config_.metrics_listen.clear();
    config_.data_dir = folder_.path();
    config_.limits.slots = {.cpu = 2};
    config_.limits.group.join_timeout = absl::Seconds(20);
    config_.limits.group.heartbeat = absl::Seconds(60);  // nobody is lost by being slow here
  }
  void Start() {
    World world{.store = std::make_unique<FakeStore>(&disk_), .pulse = absl::Milliseconds(10)};
    auto launcher = std::make_unique<FakeLauncher>(&disk_);
    launcher_ = launcher.get();
    world.launcher = std::move(launcher);
    auto server = TrainingServer::Start(config_, std::move(world), [] {});
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    stub_ = v1::TrainingService::NewStub(Channel(server_->rpc().port()));
    workers_ = v1::WorkerService::NewStub(Channel(server_->worker_rpc().port()));
  }
  static std::shared_ptr<grpc::Channel> Channel(int port) {
    return grpc::CreateChannel(absl::StrCat("127.0.0.1:", port), grpc::InsecureChannelCredentials());
  }
  // A call with a deadline that only a hung server reaches.
  template <typename Stub, typename Method, typename Request, typename Response>
  absl::Status Call(Stub& stub, Method method, const Request& request, Response& response,
                    const std::string& token = "", absl::Duration timeout = absl::Seconds(60)) {
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(absl::Now() + timeout));
    if (!token.empty()) context.AddMetadata("authorization", "Bearer " + token);
    return FromGrpc((stub.*method)(&context, request, &response));
  }

  static v1::SubmitJobRequest Request(const std::string& name, int world_size = 1) {
    v1::SubmitJobRequest request;
    request.set_request_id("request-" + name);
    v1::JobSpec& spec = *request.mutable_spec();
    spec.set_name(name);
    spec.set_objective(v1::OBJECTIVE_CLIP);
    spec.set_fresh_config("configs/clip");
    spec.set_dataset("datasets/shapes");
    spec.mutable_resources()->set_world_size(world_size);
    return request;
  }
  std::string Submit(const std::string& name, int world_size = 1) {
    v1::SubmitJobResponse response;
    const absl::Status status =
        Call(*stub_, &v1::TrainingService::Stub::SubmitJob, Request(name, world_size), response);
    EXPECT_TRUE(status.ok()) << status;
    return response.job().id();
  }
  v1::Job JobOf(const std::string& id) {
    v1::GetJobRequest request;
    request.set_job_id(id);
    v1::GetJobResponse response;
    const absl::Status status = Call(*stub_, &v1::TrainingService::Stub::GetJob, request, response);
    EXPECT_TRUE(status.ok()) << status;
    return response.job();
  }
  bool Reaches(const std::string& id, v1::JobState state) {
    for (int i = 0; i < 3000; ++i) {
      if (JobOf(id).state() == state) return true;
      absl::SleepFor(absl::Milliseconds(5));
    }
    return false;
  }
  std::string TokenOf(const std::string& id) const { return folder_.Read("jobs/" + id + "/token"); }
  v1::WorkerIdentity Worker(const std::string& id, int rank = 0, int64_t epoch = 1) {
    v1::WorkerIdentity worker;
    worker.set_job_id(id);
    worker.set_epoch(epoch);
    worker.set_rank(rank);
    return worker;
  }
  absl::Status Join(const std::string& id, int rank, v1::JoinGroupResponse& response,
                    absl::Duration timeout = absl::Seconds(60)) {
    v1::JoinGroupRequest request;
    *request.mutable_worker() = Worker(id, rank);
    request.set_host("127.0.0.1");
    if (rank == 0) request.set_store_port(29500);
    return Call(*workers_, &v1::WorkerService::Stub::JoinGroup, request, response, TokenOf(id), timeout);
  }
  v1::HeartbeatResponse Beat(const std::string& id, int rank, int64_t step) {
    v1::HeartbeatRequest request;
    *request.mutable_worker() = Worker(id, rank);
    request.mutable_metrics()->set_step(step);
    request.mutable_metrics()->set_loss(1.0 / static_cast<double>(step));
    request.mutable_metrics()->mutable_step_duration()->set_seconds(100);
    v1::HeartbeatResponse response;
    const absl::Status status =
        Call(*workers_, &v1::WorkerService::Stub::Heartbeat, request, response, TokenOf(id));
    EXPECT_TRUE(status.ok()) << status;
    return response;
  }
  absl::Status Record(const std::string& id, int64_t step) {
    v1::RecordCheckpointRequest request;
    *request.mutable_worker() = Worker(id);
    request.mutable_checkpoint()->set_step(step);
    request.mutable_checkpoint()->set_size_bytes(100);
    v1::RecordCheckpointResponse response;
    return Call(*workers_, &v1::WorkerService::Stub::RecordCheckpoint, request, response, TokenOf(id));
  }
  void Leave(const std::string& id, v1::WorkerOutcome outcome) {
    v1::LeaveGroupRequest request;
    *request.mutable_worker() = Worker(id);
    request.set_outcome(outcome);
    v1::LeaveGroupResponse response;
    const absl::Status status =
        Call(*workers_, &v1::WorkerService::Stub::LeaveGroup, request, response, TokenOf(id));
    EXPECT_TRUE(status.ok()) << status;
  }
  void Run(const std::string& id) {
    ASSERT_TRUE(Reaches(id, v1::JOB_STATE_STARTING));
    v1::JoinGroupResponse joined;
    ASSERT_TRUE(Join(id, 0, joined).ok());
    Beat(id, 0, 1);
    ASSERT_TRUE(Reaches(id, v1::JOB_STATE_RUNNING));
  }

  TempFolder folder_;
  Disk disk_;
  ServerConfig config_;
  FakeLauncher* launcher_ = nullptr;
  std::unique_ptr<TrainingServer> server_;
  std::unique_ptr<v1::TrainingService::Stub> stub_;
  std::unique_ptr<v1::WorkerService::Stub> workers_;
};

}  // namespace ip2p::training_coordinator
