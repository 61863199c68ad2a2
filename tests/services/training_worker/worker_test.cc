// A scripted coordinator over real gRPC, and runs of numbers in the place of networks.
#include "services/training_worker/worker.h"

#include <atomic>
#include <map>
#include <thread>

#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "common/rpc/duration_proto.h"
#include "gmock/gmock.h"
#include "grpcpp/server_builder.h"
#include "gtest/gtest.h"
#include "ip2p/training/v1/worker_service.grpc.pb.h"
#include "services/training_worker/worker_proto.h"
#include "tests/fakes/temp_folder.h"

namespace ip2p::training_worker {
namespace {

namespace v1 = training::v1;
using ::testing::HasSubstr;

class ScriptedCoordinator final : public v1::WorkerService::Service {
 public:
  ScriptedCoordinator() {
    server_ = grpc::ServerBuilder()
                  .AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_)
                  .RegisterService(this)
                  .BuildAndStart();
    spec.set_objective(v1::OBJECTIVE_INSTRUCT_PIX2PIX);
    spec.set_base_checkpoint("models/start");
    spec.set_dataset("data/pairs");
    spec.mutable_params()->set_max_steps(1'000'000);
  }
  ~ScriptedCoordinator() override { server_->Shutdown(absl::ToChronoTime(absl::Now())); }
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

  grpc::Status JoinGroup(grpc::ServerContext* context, const v1::JoinGroupRequest* request,
                         v1::JoinGroupResponse* response) override {
    const absl::MutexLock lock(&mutex);
    join = *request;
    const auto header = context->client_metadata().find("authorization");
    if (header != context->client_metadata().end()) token = {header->second.data(), header->second.size()};
    if (joins++ < refusals) return {grpc::StatusCode::UNAVAILABLE, "not yet"};
    if (stale) return {grpc::StatusCode::ABORTED, "a newer launch"};
    *response->mutable_spec() = spec;
    response->set_store_host("10.0.0.1");
    response->set_store_port(4321);
    response->set_resume_step(70);
    response->set_mirror(mirror);
    *response->mutable_heartbeat() = DurationProto(absl::Milliseconds(50));
    return grpc::Status::OK;
  }
  grpc::Status Heartbeat(grpc::ServerContext*, const v1::HeartbeatRequest* request,
                         v1::HeartbeatResponse* response) override {
    const absl::MutexLock lock(&mutex);
    ++heartbeats;
    if (request->has_metrics()) metrics = request->metrics();
    if (stale) return {grpc::StatusCode::ABORTED, "a newer launch"};
    response->set_order(order);
    response->set_at_step(at_step);
    return grpc::Status::OK;
  }
  grpc::Status RecordCheckpoint(grpc::ServerContext*, const v1::RecordCheckpointRequest* request,
                                v1::RecordCheckpointResponse*) override {
    const absl::MutexLock lock(&mutex);
    checkpoint = request->checkpoint();
    recorded.push_back(request->checkpoint().step());
    return grpc::Status::OK;
  }
  grpc::Status AppendLogs(grpc::ServerContext*, const v1::AppendLogsRequest* request,
                          v1::AppendLogsResponse*) override {
    const absl::MutexLock lock(&mutex);
    for (const v1::LogLine& line : request->lines()) log += line.text() + "\n";
    return grpc::Status::OK;
  }
  grpc::Status LeaveGroup(grpc::ServerContext*, const v1::LeaveGroupRequest* request,
                          v1::LeaveGroupResponse*) override {
    const absl::MutexLock lock(&mutex);
    ++leaves;
    left = *request;
    return grpc::Status::OK;
  }

  // The script and what was heard, under the mutex.
  absl::Mutex mutex;
  v1::JobSpec spec;
  int refusals = 0;
  bool stale = false;
  v1::WorkerOrder order = v1::WORKER_ORDER_UNSPECIFIED;
  int64_t at_step = 0;
  v1::JoinGroupRequest join;
  std::string mirror, token, log;
  int joins = 0, heartbeats = 0, leaves = 0;
  v1::TrainMetrics metrics;
  v1::Checkpoint checkpoint;
  std::vector<int64_t> recorded;
  v1::LeaveGroupRequest left;

 private:
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

class FixedRendezvous final : public Rendezvous {
 public:
  int port() const override { return 1234; }
};

// Steps of 5 ms that obey as the real run does, until told to end.
absl::StatusOr<RunOutcome> Obedient(const TrainingRunOptions& options, RunObserver& observer) {
  int64_t step = options.resume_step.value_or(0);
  observer.OnStart(step);
  while (step < options.config.max_steps) {
    absl::SleepFor(absl::Milliseconds(5));
    observer.OnStep({.result = {.step = ++step, .loss = 0.5}, .seconds = 0.005, .samples = step});
    const RunOrder order = observer.NextOrder();
    if (order.kind == RunOrder::Kind::kAbandon) return RunOutcome::kAbandoned;
    if (order.kind == RunOrder::Kind::kStop) return RunOutcome::kStopped;
    if (order.kind == RunOrder::Kind::kSaveAndStop && step >= order.at_step) {
      observer.OnCheckpoint({.step = step, .bytes = 99, .loss = 0.5});
      return RunOutcome::kStopped;
    }
  }
  return RunOutcome::kDone;
}

class WorkerTest : public ::testing::Test {
 protected:
  WorkerConfig Attached(const ScriptedCoordinator& coordinator) const {
    WorkerConfig config;
    config.coordinator = coordinator.address();
    config.job = "job-1";
    config.epoch = 3;
    config.data_dir = "/data";
    config.token = "secret";
    return config;
  }
  ExitCode Run(const WorkerConfig& config, decltype(Engine::run) run) {
    return RunWorker(
        config,
        {.run = std::move(run), .rendezvous = [](int) { return std::make_shared<FixedRendezvous>(); }},
        [this] { return stop_.load(); });
  }
  std::atomic<bool> stop_ = false;
};

// Waits for something that another thread brings about.
void Eventually(ScriptedCoordinator& coordinator, const std::function<bool()>& what) {
  const absl::MutexLock lock(&coordinator.mutex);
  ASSERT_TRUE(coordinator.mutex.AwaitWithTimeout(absl::Condition(&what), absl::Seconds(20)));
}

TEST_F(WorkerTest, TakesPlacesAndSettingsFromTheCoordinator) {
  ScriptedCoordinator coordinator;
  coordinator.refusals = 1;
  TrainingRunOptions seen;
  const ExitCode code = Run(Attached(coordinator), [&](const TrainingRunOptions& options, RunObserver&) {
    seen = options;
    return RunOutcome::kDone;
  });
  EXPECT_EQ(code, kDone);
  EXPECT_EQ(coordinator.token, "Bearer secret");
  EXPECT_EQ(coordinator.join.store_port(), 1234);
  EXPECT_EQ(coordinator.join.worker().epoch(), 3);
  EXPECT_EQ(seen.base_checkpoint, "/data/models/start");
  EXPECT_EQ(seen.fresh_config, "");
  EXPECT_EQ(seen.dataset, "/data/data/pairs");
  EXPECT_EQ(seen.run, "/data/jobs/job-1");
  EXPECT_EQ(seen.resume_step, 70);
  EXPECT_EQ(seen.address.port, 4321);
  EXPECT_EQ(coordinator.left.outcome(), v1::WORKER_OUTCOME_DONE);
}

TEST_F(WorkerTest, SavesAndStopsAsOrdered) {
  ScriptedCoordinator coordinator;
  std::thread script([&] {
    Eventually(coordinator, [&] { return coordinator.metrics.step() > 75; });
    const absl::MutexLock lock(&coordinator.mutex);
    coordinator.at_step = coordinator.metrics.step() + 40;
    coordinator.order = v1::WORKER_ORDER_SAVE_AND_STOP;
  });
  EXPECT_EQ(Run(Attached(coordinator), Obedient), kStopped);
  script.join();
  EXPECT_EQ(coordinator.checkpoint.step(), coordinator.at_step);
  EXPECT_EQ(coordinator.checkpoint.job_id(), "job-1");
  EXPECT_EQ(coordinator.left.outcome(), v1::WORKER_OUTCOME_STOPPED);
  EXPECT_GT(coordinator.metrics.remaining().seconds(), 100);
  EXPECT_THAT(coordinator.log, HasSubstr("training starts"));
}

// What the coordinator may send a rank of another machine back to is what that finds.
TEST_F(WorkerTest, ACheckpointIsRecordedWhenItIsAtTheMirror) {
  ScriptedCoordinator coordinator;
  coordinator.mirror = "s3://bucket/runs/job-1";
  std::vector<int64_t> before;
  const ExitCode code =
      Run(Attached(coordinator), [&](const TrainingRunOptions& options, RunObserver& observer) {
        EXPECT_EQ(options.mirror, "s3://bucket/runs/job-1");
        observer.OnMirrored({.step = 70});  // what it goes on from is recorded already
        for (const int64_t step : {80, 90, 100}) observer.OnCheckpoint({.step = step, .bytes = step});
        observer.OnMirrored({.step = 80, .status = absl::UnavailableError("away")});
        before = coordinator.recorded;
        observer.OnMirrored({.step = 90});
        observer.OnMirrored({.step = 100});
        return RunOutcome::kDone;
      });
  EXPECT_EQ(code, kDone);
  EXPECT_THAT(before, ::testing::IsEmpty());
  EXPECT_THAT(coordinator.recorded, ::testing::ElementsAre(90, 100));
  EXPECT_EQ(coordinator.checkpoint.size_bytes(), 100);
  EXPECT_THAT(coordinator.log, HasSubstr("a checkpoint is not stored"));
}

TEST_F(WorkerTest, ADiskOfItsOwnWantsAMirror) {
  ScriptedCoordinator coordinator;
  WorkerConfig config = Attached(coordinator);
  config.run_dir = "/scratch";
  TrainingRunOptions seen;
  const auto run = [&](const TrainingRunOptions& options, RunObserver&) {
    seen = options;
    return RunOutcome::kDone;
  };
  EXPECT_EQ(Run(config, run), kFatal);
  EXPECT_THAT(coordinator.left.message(), HasSubstr("run_dir is set and the coordinator names no mirror"));
  coordinator.mirror = "s3://bucket/runs/job-1";
  EXPECT_EQ(Run(config, run), kDone);
  EXPECT_EQ(seen.run, "/scratch/job-1");
}

TEST_F(WorkerTest, AReplacedWorkerLeavesWithoutAWord) {
  ScriptedCoordinator coordinator;
  std::thread script([&] {
    Eventually(coordinator, [&] { return coordinator.heartbeats > 2; });
    const absl::MutexLock lock(&coordinator.mutex);
    coordinator.stale = true;
  });
  EXPECT_EQ(Run(Attached(coordinator), Obedient), kStopped);
  script.join();
  EXPECT_EQ(coordinator.leaves, 0);
  // Not even admitted: nothing runs.
  EXPECT_EQ(Run(Attached(coordinator),
                [](const TrainingRunOptions&, RunObserver&) -> absl::StatusOr<RunOutcome> {
                  ADD_FAILURE() << "the run starts";
                  return RunOutcome::kDone;
                }),
            kStopped);
}

TEST_F(WorkerTest, EndedByTheMachineIsToBeStartedAgain) {
  ScriptedCoordinator coordinator;
  std::thread script([&] {
    Eventually(coordinator, [&] { return coordinator.metrics.step() > 71; });
    stop_ = true;
  });
  EXPECT_EQ(Run(Attached(coordinator), Obedient), kRetryable);
  script.join();
  EXPECT_EQ(coordinator.left.outcome(), v1::WORKER_OUTCOME_RETRYABLE);
}

TEST_F(WorkerTest, FailuresAreSortedForTheLauncher) {
  const std::map<absl::StatusCode, ExitCode> codes = {{absl::StatusCode::kInvalidArgument, kFatal},
                                                      {absl::StatusCode::kFailedPrecondition, kFatal},
                                                      {absl::StatusCode::kDataLoss, kFatal},
                                                      {absl::StatusCode::kUnavailable, kRetryable},
                                                      {absl::StatusCode::kResourceExhausted, kRetryable},
                                                      {absl::StatusCode::kInternal, kRetryable}};
  for (const auto& [code, wanted] : codes) {
    ScriptedCoordinator coordinator;
    EXPECT_EQ(Run(Attached(coordinator),
                  [&](const TrainingRunOptions&, RunObserver&) -> absl::StatusOr<RunOutcome> {
                    return absl::Status(code, "the reason");
                  }),
              wanted);
    EXPECT_EQ(coordinator.left.message(), "the reason");
    EXPECT_EQ(coordinator.left.outcome(),
              wanted == kFatal ? v1::WORKER_OUTCOME_FATAL : v1::WORKER_OUTCOME_RETRYABLE);
  }
}

TEST_F(WorkerTest, AloneFromAFile) {
  const TempFolder folder;
  WorkerConfig config;
  config.run_dir = folder.In("run");
  config.mirror = "s3://bucket/run";
  config.max_steps = 7;
  config.spec_file =
      folder.Write("job.json", R"({"objective": "OBJECTIVE_TEXT_TO_IMAGE", "freshConfig": "configs",
    "dataset": "pictures", "params": {"learningRate": 0.5, "lrSchedule": "LR_SCHEDULE_COSINE", "seed": "9"}})");
  TrainingRunOptions seen;
  EXPECT_EQ(Run(config,
                [&](const TrainingRunOptions& options, RunObserver& observer) {
                  seen = options;
                  return Obedient(options, observer);
                }),
            kDone);
  EXPECT_EQ(seen.config.objective, TrainObjective::kTextToImage);
  EXPECT_EQ(seen.config.drop_text, 0.1);
  EXPECT_EQ(seen.config.learning_rate, 0.5);
  EXPECT_EQ(seen.config.lr_schedule, LrSchedule::kCosine);
  EXPECT_EQ(seen.config.seed, 9);
  EXPECT_EQ(seen.config.max_steps, 7);
  EXPECT_EQ(seen.mirror, "s3://bucket/run");
  EXPECT_EQ(seen.fresh_config, "configs");
  EXPECT_TRUE(seen.resume_latest);
  stop_ = true;
  config.max_steps = 1000;
  EXPECT_EQ(Run(config, Obedient), kStopped);
  config.spec_file = folder.Write("bad.json", "{\"objective\": 77}");
  EXPECT_EQ(Run(config, Obedient), kFatal);
}

TEST(LoadWorkerConfig, AllFaultsAtOnce) {
  const auto config =
      LoadWorkerConfig({"--coordinator", "h:1", "--rank", "2"}, [](const char*) { return nullptr; });
  EXPECT_THAT(std::string(config.status().message()),
              ::testing::AllOf(HasSubstr("job is empty"), HasSubstr("epoch is 0"),
                               HasSubstr("data_dir is empty"), HasSubstr("rank is 2; wants 0..0")));
}

TEST(LoadWorkerConfig, AMirrorIsAUrlOfARunAlone) {
  const auto fault = [](std::vector<std::string> flags) {
    return std::string(LoadWorkerConfig(flags, [](const char*) { return nullptr; }).status().message());
  };
  EXPECT_EQ(fault({"--spec", "s", "--run-dir", "r", "--mirror", "s3://bucket/run"}), "");
  EXPECT_EQ(fault({"--spec", "s", "--run-dir", "r", "--mirror", "/disk"}),
            "mirror: \"/disk\" is no URL; wants s3://BUCKET/KEY");
  EXPECT_THAT(fault({"--coordinator", "h:1", "--mirror", "s3://bucket/run"}),
              HasSubstr("mirror is \"s3://bucket/run\"; wants none with --coordinator"));
}

TEST(LoadWorkerConfig, TheTokenComesFromTheEnvironmentOrAFile) {
  const auto environment = [](const char* name) -> const char* {
    return std::string(name) == "IP2P_JOB_TOKEN" ? "from environment" : nullptr;
  };
  const std::vector<std::string> flags = {"--coordinator", "h:1", "--job",      "j",
                                          "--epoch",       "1",   "--data-dir", "/d"};
  EXPECT_EQ((*LoadWorkerConfig(flags, environment))->token, "from environment");
  const TempFolder folder;
  std::vector<std::string> with_file = flags;
  with_file.insert(with_file.end(), {"--token-file", folder.Write("token", "from file\n")});
  EXPECT_EQ((*LoadWorkerConfig(with_file, environment))->token, "from file");
}

}  // namespace
}  // namespace ip2p::training_worker
