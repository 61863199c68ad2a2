// What is let in, and what is told to those who are not.
#include "gmock/gmock.h"
#include "tests/services/edit_server/server_fixture.h"

namespace ip2p::edit_server {
namespace {

using ::testing::HasSubstr;

class AdmissionTest : public ServerTest {
 protected:
  AdmissionTest() { run_by_itself_ = false; }
  std::unique_ptr<EditStream> Accepted() {
    auto stream = std::make_unique<EditStream>(*stub_, GoodRequest());
    EXPECT_TRUE(stream->AwaitAccepted());
    return stream;
  }
};

TEST_F(AdmissionTest, AFullQueueTellsWhenToComeAgain) {
  ServerConfig config = DefaultConfig();
  config.queue_limit = 2;
  Start(config);
  engine().SetEstimate(absl::Seconds(12));
  auto first = Accepted();
  auto second = Accepted();
  const absl::Status full = Edit(GoodRequest());
  EXPECT_EQ(full.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(full.message()), HasSubstr("queue is full: 2 edits wait; wants fewer than 2"));
  EXPECT_EQ(RetryAfter(full), absl::Seconds(4));  // 12 s for three edits

  ASSERT_TRUE(engine().AwaitWaiting(2));
  engine().Step();  // both leave the queue for the batch
  auto third = Accepted();
  ASSERT_TRUE(engine().AwaitWaiting(1));
  engine().StepUntilIdle();
  for (auto* stream : {&first, &second, &third}) EXPECT_TRUE((*stream)->Finish().ok());
}

TEST_F(AdmissionTest, WithoutAnEstimateComeAgainInASecond) {
  ServerConfig config = DefaultConfig();
  config.queue_limit = 1;
  Start(config);
  auto first = Accepted();
  EXPECT_EQ(RetryAfter(Edit(GoodRequest())), absl::Seconds(1));
}

TEST_F(AdmissionTest, PositionAndEstimateAreTold) {
  Start();
  engine().SetEstimate(absl::Milliseconds(1500));
  std::vector<std::shared_ptr<EditStream>> streams;
  for (int position = 0; position < 3; ++position) {
    auto stream = std::make_shared<EditStream>(*stub_, GoodRequest());
    const StreamEditResponse event = stream->Next();
    ASSERT_TRUE(event.has_accepted());
    EXPECT_EQ(event.accepted().position(), position);
    EXPECT_EQ(event.accepted().estimate().nanos(), 500'000'000);
    streams.push_back(stream);
  }
}

TEST_F(AdmissionTest, OneCallerCannotTakeAll) {
  ServerConfig config = DefaultConfig();
  config.client_limit = 2;
  Start(config);
  auto first = Accepted();
  auto second = Accepted();
  const absl::Status refused = Edit(GoodRequest());
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(refused.message()),
              HasSubstr("quota is full: 2 edits of this caller are under way"));
  EXPECT_TRUE(RetryAfter(refused).has_value());

  ASSERT_TRUE(engine().AwaitWaiting(2));
  engine().StepUntilIdle();
  ASSERT_TRUE(AwaitIdle());
  auto third = Accepted();  // the places are free again
}

TEST_F(AdmissionTest, ADeadlineFarNearerThanTheEstimateIsRefusedAtOnce) {
  Start();
  engine().SetEstimate(absl::Hours(10));
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + absl::Hours(1)));
  EditResponse response;
  const grpc::Status status = stub_->Edit(&context, GoodRequest(), &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_THAT(status.error_message(), HasSubstr("the estimate is 36000.0 s"));
  EXPECT_EQ(engine().submitted(), 0);
}

TEST_F(AdmissionTest, NoDeadlineIsFineWhateverTheEstimate) {
  Start();
  engine().SetEstimate(absl::Hours(10));
  auto stream = Accepted();
  ASSERT_TRUE(engine().AwaitWaiting(1));
  engine().StepUntilIdle();
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(AdmissionTest, AllStreamsOfAFloodAreAnswered) {
  ServerConfig config = DefaultConfig();
  config.queue_limit = 4;
  config.max_concurrent_streams = 8;  // of a connection: the rest wait on the client's side
  Start(config);
  engine().RunByItself(true);
  constexpr int kCalls = 500;
  std::vector<std::thread> callers;
  std::atomic<int> done = 0, full = 0;
  for (int i = 0; i < 16; ++i) {
    callers.emplace_back([&] {
      for (int call = 0; call < kCalls / 16 + 1; ++call) {
        const absl::Status status = Edit(GoodRequest());
        if (status.ok()) ++done;
        if (status.code() == absl::StatusCode::kResourceExhausted && RetryAfter(status)) ++full;
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(done + full, 16 * (kCalls / 16 + 1));
  EXPECT_GT(done, 0);
  EXPECT_TRUE(AwaitIdle());
  EXPECT_EQ(Metric("ip2p_edit_in_flight"), 0);
}

}  // namespace
}  // namespace ip2p::edit_server
