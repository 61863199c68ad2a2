// Callers that change their mind, disappear, run out of time or stop reading: their place is free within one
// step.
#include <atomic>
#include <random>
#include <thread>

#include "tests/services/edit_server/server_fixture.h"
#include "tests/services/edit_server/tcp_proxy.h"

namespace ip2p::edit_server {
namespace {

class CancelTest : public ServerTest {};

TEST_F(CancelTest, ARunningEditIsDroppedAtItsNextStep) {
  run_by_itself_ = false;
  Start();
  EditStream stream(*stub_, GoodRequest());
  ASSERT_TRUE(stream.AwaitAccepted());
  ASSERT_TRUE(engine().AwaitWaiting(1));
  engine().Step();
  EXPECT_EQ(Metric("ip2p_edit_in_flight"), 1);
  stream.Cancel();
  ASSERT_TRUE(engine().AwaitCancelRequests(1));
  engine().Step();  // one
  EXPECT_EQ(engine().running(), 0);
  EXPECT_EQ(Metric("ip2p_edit_in_flight"), 0);
  EXPECT_EQ(Metric("ip2p_edit_cancelled_total"), 1);
  EXPECT_EQ(stream.Finish().code(), absl::StatusCode::kCancelled);
}

TEST_F(CancelTest, AWaitingEditIsDroppedToo) {
  run_by_itself_ = false;
  Start();
  EditStream stream(*stub_, GoodRequest());
  ASSERT_TRUE(stream.AwaitAccepted());
  ASSERT_TRUE(engine().AwaitWaiting(1));
  stream.Cancel();
  ASSERT_TRUE(engine().AwaitCancelRequests(1));
  engine().Step();
  EXPECT_TRUE(AwaitIdle());
  EXPECT_EQ(Metric("ip2p_edit_queue_depth"), 0);
}

TEST_F(CancelTest, ADeadlineFreesThePlace) {
  run_by_itself_ = false;
  Start();
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + absl::Milliseconds(200)));
  EditResponse response;
  EXPECT_EQ(stub_->Edit(&context, GoodRequest(), &response).error_code(),
            grpc::StatusCode::DEADLINE_EXCEEDED);
  ASSERT_TRUE(engine().AwaitCancelRequests(1));  // the caller may know before the server does
  engine().Step();
  EXPECT_TRUE(AwaitIdle());
  EXPECT_EQ(Metric("ip2p_edit_cancelled_total"), 1);
}

// 200 edits, each cancelled at a random moment of its life, among others that are not.
TEST_F(CancelTest, TwoHundredRandomCancellations) {
  ServerConfig config = DefaultConfig();
  config.queue_limit = 1000;
  config.max_concurrent_streams = 1000;
  Start(config);
  std::atomic<int> cancelled = 0, finished = 0;
  std::vector<std::thread> callers;
  for (unsigned seed = 0; seed < 8; ++seed) {
    callers.emplace_back([&, seed] {
      std::mt19937 random(seed);
      for (int i = 0; i < 25; ++i) {
        EditRequest request = GoodRequest();
        request.mutable_params()->set_steps(1000);
        EditStream stream(*stub_, request);
        const int events = static_cast<int>(random() % 6);  // 0: before it is accepted
        for (int k = 0; k < events; ++k) stream.Next();
        stream.Cancel();
        const absl::Status status = stream.Finish();
        ++(status.ok() ? finished : cancelled);
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(cancelled + finished, 200);
  EXPECT_GT(cancelled, 0);
  EXPECT_TRUE(AwaitIdle());
  EXPECT_EQ(Metric("ip2p_edit_in_flight"), 0);
  EXPECT_EQ(Metric("ip2p_edit_queue_depth"), 0);
  EXPECT_EQ(engine().running(), 0);
  EXPECT_TRUE(Edit(GoodRequest()).ok());
}

// 50 clients whose connection breaks while their edit waits or runs.
TEST_F(CancelTest, FiftyVanishedClients) {
  run_by_itself_ = false;
  Start();
  for (int i = 0; i < 50; ++i) {
    TcpProxy network(server_->rpc().port());
    auto stub = edit::v1::EditService::NewStub(NewChannel(network.port()));
    EditStream stream(*stub, GoodRequest());
    ASSERT_TRUE(stream.AwaitAccepted());
    ASSERT_TRUE(engine().AwaitWaiting(1));
    if (i % 2 == 0) engine().Step();  // half of them run already
    network.Cut();
    ASSERT_TRUE(engine().AwaitCancelRequests(i + 1));
    engine().Step();
    ASSERT_TRUE(AwaitIdle());
    EXPECT_EQ(stream.Finish().code(), absl::StatusCode::kUnavailable);
  }
  EXPECT_EQ(Metric("ip2p_edit_in_flight"), 0);
  EXPECT_EQ(Metric("ip2p_edit_queue_depth"), 0);
  EXPECT_EQ(Metric("ip2p_edit_cancelled_total"), 50);
}

// A client that takes its first message and nothing more: progress is dropped, the edit's place is freed, and
// after send_timeout the call is ended with the rest of its answer unsent.
TEST_F(CancelTest, AReaderThatStopsCostsOneMessage) {
  ServerConfig config = DefaultConfig();
  config.send_timeout_seconds = 0.1;
  Start(config);
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);  // the window stays at its 64 KiB
  arguments.SetMaxReceiveMessageSize(-1);
  auto stub = edit::v1::EditService::NewStub(grpc::CreateCustomChannel(
      absl::StrCat("127.0.0.1:", server_->rpc().port()), grpc::InsecureChannelCredentials(), arguments));
  EditRequest request = GoodRequest();
  Image noise{.width = 512, .height = 512, .pixels = std::vector<uint8_t>(512 * 512 * 3)};
  std::mt19937 random(1);
  for (uint8_t& value : noise.pixels) value = static_cast<uint8_t>(random());
  request.mutable_image()->set_data(*EncodeImage(noise));
  request.mutable_params()->set_resolution(0);
  request.mutable_params()->set_count(2);
  request.mutable_params()->set_steps(1000);
  EditStream stream(*stub, request, 1);
  ASSERT_TRUE(stream.AwaitAccepted());
  EXPECT_TRUE(AwaitIdle());  // nobody reads, and yet the edit ends
  EXPECT_EQ(Metric("ip2p_edit_in_flight"), 0);
  EXPECT_TRUE(server_->calls().WaitIdle(absl::Now() + kPatience));  // and so does the call
  EXPECT_FALSE(stream.Finish().ok());
  EXPECT_EQ(stream.result().outputs_size(), 0);
  EXPECT_LT(stream.progress().size(), 1000u);
}

}  // namespace
}  // namespace ip2p::edit_server
