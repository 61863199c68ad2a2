// The services over real gRPC: waits, streams, refusals.
#include <thread>

#include "gmock/gmock.h"
#include "tests/services/training_coordinator/server_fixture.h"

namespace ip2p::training_coordinator {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Training = v1::TrainingService::Stub;
using Workers = v1::WorkerService::Stub;

TEST_F(ServerTest, SubmitGetListAndRefuse) {
  Start();
  const std::string id = Submit("a");
  EXPECT_EQ(Submit("a"), id);
  v1::SubmitJobRequest other = Request("a");
  other.mutable_spec()->mutable_params()->set_seed(5);
  v1::SubmitJobResponse response;
  EXPECT_TRUE(absl::IsAlreadyExists(Call(*stub_, &Training::SubmitJob, other, response)));
  other.mutable_spec()->set_dataset("../x");
  other.mutable_spec()->mutable_params()->set_learning_rate(-1);
  const absl::Status faults = Call(*stub_, &Training::SubmitJob, other, response);
  EXPECT_TRUE(absl::IsInvalidArgument(faults));
  EXPECT_THAT(std::string(faults.message()), HasSubstr("spec.dataset"));
  EXPECT_THAT(std::string(faults.message()), HasSubstr("spec.params.learning_rate is -1"));

  const v1::Job job = JobOf(id);
  EXPECT_EQ(job.spec().params().max_steps(), 10000);
  EXPECT_EQ(job.request_id(), "request-a");
  v1::GetJobRequest unknown;
  unknown.set_job_id("unknown");
  v1::GetJobResponse got;
  EXPECT_TRUE(absl::IsNotFound(Call(*stub_, &Training::GetJob, unknown, got)));

  for (const char* name : {"b", "c"}) Submit(name);
  v1::ListJobsRequest list;
  list.set_page_size(2);
  v1::ListJobsResponse page;
  ASSERT_TRUE(Call(*stub_, &Training::ListJobs, list, page).ok());
  ASSERT_EQ(page.jobs_size(), 2);
  EXPECT_EQ(page.jobs(0).spec().name(), "c");
  list.set_page_token(page.next_page_token());
  ASSERT_TRUE(Call(*stub_, &Training::ListJobs, list, page).ok());
  ASSERT_EQ(page.jobs_size(), 1);
  EXPECT_TRUE(page.next_page_token().empty());
  list.set_page_size(0);
  EXPECT_TRUE(absl::IsInvalidArgument(Call(*stub_, &Training::ListJobs, list, page)));
}

TEST_F(ServerTest, JoinAnswersWhenAllHaveJoined) {
  Start();
  const std::string id = Submit("a", 2);
  ASSERT_TRUE(Reaches(id, v1::JOB_STATE_STARTING));
  v1::JoinGroupResponse first;
  std::thread early([&] { EXPECT_TRUE(Join(id, 1, first).ok()); });
  v1::JoinGroupResponse second;
  EXPECT_TRUE(Join(id, 0, second).ok());
  early.join();
  EXPECT_EQ(first.store_port(), 29500);
  EXPECT_EQ(first.store_host(), "127.0.0.1");
  EXPECT_EQ(first.spec().name(), "a");
  EXPECT_EQ(first.heartbeat().seconds(), 60);
  EXPECT_FALSE(first.has_resume_step());
  v1::JoinGroupRequest request;
  *request.mutable_worker() = Worker(id);
  request.set_host("h");
  request.set_store_port(1);
  EXPECT_TRUE(absl::IsPermissionDenied(Call(*workers_, &Workers::JoinGroup, request, first, "guess")));
  EXPECT_TRUE(absl::IsPermissionDenied(Call(*workers_, &Workers::JoinGroup, request, first)));
  request.mutable_worker()->set_epoch(9);
  EXPECT_TRUE(absl::IsAborted(Call(*workers_, &Workers::JoinGroup, request, first, TokenOf(id))));
}

TEST_F(ServerTest, AnImpatientRankMayComeAgain) {
  Start();
  const std::string id = Submit("a", 2);
  ASSERT_TRUE(Reaches(id, v1::JOB_STATE_STARTING));
  v1::JoinGroupResponse response;
  EXPECT_TRUE(absl::IsDeadlineExceeded(Join(id, 0, response, absl::Milliseconds(200))));
  std::thread other([&] {
    v1::JoinGroupResponse joined;
    EXPECT_TRUE(Join(id, 1, joined).ok());
  });
  EXPECT_TRUE(Join(id, 0, response).ok());
  other.join();
}

TEST_F(ServerTest, WatchTellsEachStateUntilTheLast) {
  Start();
  const std::string id = Submit("a");
  grpc::ClientContext context;
  v1::WatchJobRequest request;
  request.set_job_id(id);
  request.set_min_interval_ms(0);
  const auto reader = stub_->WatchJob(&context, request);
  v1::WatchJobResponse event;
  ASSERT_TRUE(reader->Read(&event));
  EXPECT_EQ(event.job().id(), id);
  Run(id);
  for (int64_t step = 2; step < 50; ++step) Beat(id, 0, step);
  Leave(id, v1::WORKER_OUTCOME_DONE);
  v1::JobState last = event.job().state();
  int64_t last_step = 0;
  while (reader->Read(&event)) {
    last = event.job().state();
    EXPECT_GE(event.job().metrics().step(), last_step);
    last_step = event.job().metrics().step();
  }
  EXPECT_EQ(last, v1::JOB_STATE_SUCCEEDED);
  EXPECT_EQ(last_step, 49);
  EXPECT_TRUE(reader->Finish().ok());
}

TEST_F(ServerTest, SaveWaitsForItsCheckpoint) {
  Start();
  const std::string id = Submit("a");
  Run(id);
  v1::SaveCheckpointRequest request;
  request.set_job_id(id);
  v1::SaveCheckpointResponse response;
  std::thread operators(
      [&] { EXPECT_TRUE(Call(*stub_, &Training::SaveCheckpoint, request, response).ok()); });
  v1::HeartbeatResponse order = Beat(id, 0, 2);
  while (order.order() != v1::WORKER_ORDER_SAVE) order = Beat(id, 0, 2);
  EXPECT_TRUE(Record(id, order.at_step()).ok());
  operators.join();
  EXPECT_EQ(response.checkpoint().step(), order.at_step());
  EXPECT_EQ(response.checkpoint().size_bytes(), 100);
  v1::ListCheckpointsRequest list;
  list.set_job_id(id);
  v1::ListCheckpointsResponse all;
  ASSERT_TRUE(Call(*stub_, &Training::ListCheckpoints, list, all).ok());
  EXPECT_EQ(all.checkpoints_size(), 1);
}

TEST_F(ServerTest, PauseResumeCancelDelete) {
  Start();
  const std::string id = Submit("a");
  Run(id);
  v1::PauseJobRequest pause;
  pause.set_job_id(id);
  v1::PauseJobResponse paused;
  std::thread operators([&] { EXPECT_TRUE(Call(*stub_, &Training::PauseJob, pause, paused).ok()); });
  v1::HeartbeatResponse order = Beat(id, 0, 2);
  while (order.order() != v1::WORKER_ORDER_SAVE_AND_STOP) order = Beat(id, 0, 2);
  ASSERT_TRUE(Record(id, order.at_step()).ok());
  Leave(id, v1::WORKER_OUTCOME_STOPPED);
  operators.join();
  EXPECT_EQ(paused.job().state(), v1::JOB_STATE_PAUSED);
  EXPECT_TRUE(absl::IsFailedPrecondition(Call(*stub_, &Training::PauseJob, pause, paused)));

  v1::ResumeJobRequest resume;
  resume.set_job_id(id);
  resume.set_from_step(77);
  v1::ResumeJobResponse resumed;
  EXPECT_TRUE(absl::IsNotFound(Call(*stub_, &Training::ResumeJob, resume, resumed)));
  resume.clear_from_step();
  ASSERT_TRUE(Call(*stub_, &Training::ResumeJob, resume, resumed).ok());
  v1::CancelJobRequest cancel;
  cancel.set_job_id(id);
  v1::CancelJobResponse cancelled;
  ASSERT_TRUE(Call(*stub_, &Training::CancelJob, cancel, cancelled).ok());
  EXPECT_EQ(cancelled.job().state(), v1::JOB_STATE_CANCELLED);
  EXPECT_TRUE(Call(*stub_, &Training::CancelJob, cancel, cancelled).ok());
}

TEST_F(ServerTest, LogsAreKeptAndFollowed) {
  Start();
  const std::string id = Submit("a");
  Run(id);
  v1::AppendLogsRequest append;
  *append.mutable_worker() = Worker(id);
  append.add_lines()->set_text("one");
  append.add_lines()->set_text(std::string(9000, 'x') + "\xc3\xa9");
  v1::AppendLogsResponse appended;
  ASSERT_TRUE(Call(*workers_, &Workers::AppendLogs, append, appended, TokenOf(id)).ok());
  EXPECT_TRUE(absl::IsPermissionDenied(Call(*workers_, &Workers::AppendLogs, append, appended, "guess")));

  grpc::ClientContext context;
  v1::StreamLogsRequest request;
  request.set_job_id(id);
  request.set_follow(true);
  const auto reader = stub_->StreamLogs(&context, request);
  v1::StreamLogsResponse lines;
  ASSERT_TRUE(reader->Read(&lines));
  ASSERT_EQ(lines.lines_size(), 2);
  EXPECT_EQ(lines.lines(0).text(), "one");
  EXPECT_EQ(lines.lines(0).epoch(), 1);
  EXPECT_EQ(lines.lines(1).text().size(), 8192);
  append.clear_lines();
  append.add_lines()->set_text("two");
  ASSERT_TRUE(Call(*workers_, &Workers::AppendLogs, append, appended, TokenOf(id)).ok());
  ASSERT_TRUE(reader->Read(&lines));
  EXPECT_EQ(lines.lines(0).text(), "two");
  Leave(id, v1::WORKER_OUTCOME_FATAL);
  ASSERT_TRUE(Reaches(id, v1::JOB_STATE_FAILED));
  launcher_->groups.begin()->second.exits[0] = 42;
  EXPECT_FALSE(reader->Read(&lines));
  EXPECT_TRUE(reader->Finish().ok());

  grpc::ClientContext tail_context;
  request.set_follow(false);
  request.set_tail(1);
  const auto tail = stub_->StreamLogs(&tail_context, request);
  ASSERT_TRUE(tail->Read(&lines));
  EXPECT_EQ(lines.lines_size(), 1);
  EXPECT_FALSE(tail->Read(&lines));
  request.set_rank(7);
  grpc::ClientContext bad_context;
  EXPECT_TRUE(absl::IsInvalidArgument(FromGrpc(stub_->StreamLogs(&bad_context, request)->Finish())));
}

// A caller that keeps its call open and stops reading. Its window is small, so that little is under way.
class StalledReaders : public ServerTest {
 protected:
  void Begin(double send_timeout_seconds = 0.3) {
    config_.send_timeout_seconds = send_timeout_seconds;
    Start();
    id_ = Submit("a");
    Run(id_);
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, 1 << 10);
    arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
    stalled_ = v1::TrainingService::NewStub(grpc::CreateCustomChannel(
        absl::StrCat("127.0.0.1:", server_->rpc().port()), grpc::InsecureChannelCredentials(), arguments));
  }
  double CutOff(const char* method) {
    for (const auto& family : server_->metrics().registry()->Collect()) {
      if (family.name != "ip2p_train_requests_total") continue;
      for (const auto& metric : family.metric) {
        std::map<std::string, std::string> labels;
        for (const auto& label : metric.label) labels[label.name] = label.value;
        if (labels["method"] == method && labels["code"] == "ABORTED") return metric.counter.value;
      }
    }
    return 0;
  }
  bool IsCutOff(const char* method) {
    for (int i = 0; i < 3000 && CutOff(method) == 0; ++i) absl::SleepFor(absl::Milliseconds(5));
    return CutOff(method) == 1;
  }

  std::string id_;
  std::unique_ptr<Training> stalled_;
};

TEST_F(StalledReaders, OfLogsAreCutOffWhileOthersReadAll) {
  Begin();
  v1::AppendLogsRequest append;
  *append.mutable_worker() = Worker(id_);
  for (int i = 0; i < 500; ++i) append.add_lines()->set_text(std::string(8 << 10, 'x'));
  v1::AppendLogsResponse appended;
  ASSERT_TRUE(Call(*workers_, &Workers::AppendLogs, append, appended, TokenOf(id_)).ok());
  v1::StreamLogsRequest request;
  request.set_job_id(id_);
  request.set_follow(true);
  grpc::ClientContext context;
  const auto reader = stalled_->StreamLogs(&context, request);
  EXPECT_TRUE(IsCutOff("StreamLogs"));

  grpc::ClientContext other_context;
  request.set_follow(false);
  const auto other = stub_->StreamLogs(&other_context, request);
  v1::StreamLogsResponse lines;
  int read = 0;
  while (other->Read(&lines)) read += lines.lines_size();
  EXPECT_EQ(read, 500);
  EXPECT_TRUE(other->Finish().ok());
  while (reader->Read(&lines)) {
  }
  EXPECT_TRUE(absl::IsCancelled(FromGrpc(reader->Finish())));
}

TEST_F(StalledReaders, OfAJobAreCutOff) {
  Begin();
  v1::WatchJobRequest request;
  request.set_job_id(id_);
  request.set_min_interval_ms(0);
  grpc::ClientContext context;
  const auto reader = stalled_->WatchJob(&context, request);
  for (int64_t step = 2; step < 20000 && CutOff("WatchJob") == 0; ++step) Beat(id_, 0, step);
  EXPECT_TRUE(IsCutOff("WatchJob"));
  v1::WatchJobResponse event;
  while (reader->Read(&event)) {
  }
  EXPECT_TRUE(absl::IsCancelled(FromGrpc(reader->Finish())));
}

TEST_F(StalledReaders, ASlowReaderOfLogsGetsAll) {
  Begin(/*send_timeout_seconds=*/1);
  v1::AppendLogsRequest append;
  *append.mutable_worker() = Worker(id_);
  for (int i = 0; i < 400; ++i) append.add_lines()->set_text(std::string(8 << 10, 'x'));
  v1::AppendLogsResponse appended;
  ASSERT_TRUE(Call(*workers_, &Workers::AppendLogs, append, appended, TokenOf(id_)).ok());
  v1::StreamLogsRequest request;
  request.set_job_id(id_);
  grpc::ClientContext context;
  const auto reader = stalled_->StreamLogs(&context, request);
  v1::StreamLogsResponse lines;
  int read = 0;
  while (reader->Read(&lines)) {
    read += lines.lines_size();
    absl::SleepFor(absl::Milliseconds(100));  // that of a slow link: more than a second in all
  }
  EXPECT_EQ(read, 400);
  EXPECT_TRUE(reader->Finish().ok());
}

TEST_F(ServerTest, BytesThatAreNoRequestAreBadInput) {
  Start();
  v1::GetJobRequest request;
  request.set_job_id("\xff\xfe");  // a text that is no UTF-8
  v1::GetJobResponse response;
  EXPECT_TRUE(absl::IsInvalidArgument(Call(*stub_, &Training::GetJob, request, response)));
}

TEST_F(ServerTest, OperatorsNeedTokensAndWorkersTheirs) {
  config_.token_file = folder_.Write(
      "tokens.json", R"({"tokens":[{"name":"ops","token":"0123456789abcdef","roles":["edit"]}]})");
  Start();
  v1::SubmitJobResponse response;
  EXPECT_TRUE(absl::IsUnauthenticated(Call(*stub_, &Training::SubmitJob, Request("a"), response)));
  ASSERT_TRUE(Call(*stub_, &Training::SubmitJob, Request("a"), response, "0123456789abcdef").ok());
  const std::string id = response.job().id();
  v1::JoinGroupResponse joined;
  absl::Status status = Join(id, 0, joined);
  for (int i = 0; i < 100 && absl::IsAborted(status); ++i) {  // not launched yet
    absl::SleepFor(absl::Milliseconds(20));
    status = Join(id, 0, joined);
  }
  EXPECT_TRUE(status.ok()) << status;
}

TEST_F(ServerTest, DrainingEndsWhoWaits) {
  Start();
  const std::string id = Submit("a");
  Run(id);
  grpc::ClientContext context;
  v1::WatchJobRequest request;
  request.set_job_id(id);
  const auto reader = stub_->WatchJob(&context, request);
  v1::WatchJobResponse event;
  ASSERT_TRUE(reader->Read(&event));
  v1::SaveCheckpointRequest save;
  save.set_job_id(id);
  v1::SaveCheckpointResponse saved;
  absl::Status outcome;
  std::thread waiting([&] { outcome = Call(*stub_, &Training::SaveCheckpoint, save, saved); });
  while (Beat(id, 0, 2).order() != v1::WORKER_ORDER_SAVE) {
  }
  server_->Drain();
  waiting.join();
  EXPECT_TRUE(absl::IsUnavailable(outcome)) << outcome;
  EXPECT_TRUE(absl::IsUnavailable(FromGrpc(reader->Finish())));
  EXPECT_FALSE(launcher_->groups.begin()->second.told_to_stop) << "workers run on";
}

}  // namespace
}  // namespace ip2p::training_coordinator
