// Queue, quotas, cancellation, deadlines, slow readers, the beginning and the end of the server.
#include <thread>

#include "common/rpc/status.h"
#include "gmock/gmock.h"
#include "tests/fakes/temp_folder.h"
#include "tests/services/pair_generator/server_fixture.h"

namespace ip2p::pair_generator {
namespace {

using ::testing::HasSubstr;

class AdmissionTest : public ServerTest {
 protected:
  // A request whose model waits in its first step.
  std::unique_ptr<OpenCall> HeldCall(const GeneratePairsRequest& request) {
    sampler().Hold();
    auto call = std::make_unique<OpenCall>(*stub_, request);
    GeneratePairsResponse event;
    EXPECT_TRUE(call->Read(event));
    EXPECT_TRUE(event.has_started());
    sampler().AwaitHeld();
    return call;
  }
  std::unique_ptr<OpenCall> Admitted(const GeneratePairsRequest& request, int position) {
    auto call = std::make_unique<OpenCall>(*stub_, request);
    GeneratePairsResponse event;
    EXPECT_TRUE(call->Read(event));
    EXPECT_EQ(event.started().queue_position(), position);
    return call;
  }
};

TEST_F(AdmissionTest, AFullQueueSaysWhenToTryAgain) {
  ServerConfig config = DefaultConfig();
  config.queue_limit = 2;
  Start(config);
  const auto running = HeldCall(SmallRequest());
  const auto first = Admitted(SmallRequest(), 1);
  const auto second = Admitted(SmallRequest(), 2);
  EXPECT_EQ(Metric("ip2p_pairs_queue_depth"), 2);
  const Events refused = Run(SmallRequest());
  EXPECT_EQ(refused.status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(RetryAfter(refused.status).has_value());
  EXPECT_TRUE(refused.all.empty());
  first->Cancel();
  EXPECT_TRUE(absl::IsCancelled(first->ReadAll().status));
  while (server_->queue().waiting() > 1) std::this_thread::yield();  // the server hears of it later
  sampler().Release();
  EXPECT_TRUE(running->ReadAll().status.ok());
  EXPECT_TRUE(second->ReadAll().status.ok());
  EXPECT_TRUE(server_->queue().WaitIdle(absl::InfiniteFuture()));
  EXPECT_EQ(sampler().made(), 20);  // the cancelled one never ran
}

TEST_F(AdmissionTest, Quota) {
  ServerConfig config = DefaultConfig();
  config.client_limit = 1;
  Start(config);
  const auto running = HeldCall(SmallRequest());
  const absl::Status refused = Run(SmallRequest()).status;
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("this caller has 1 requests under way"));
  sampler().Release();
  EXPECT_TRUE(running->ReadAll().status.ok());
  EXPECT_TRUE(server_->queue().WaitIdle(absl::InfiniteFuture()));
  EXPECT_TRUE(Run(SmallRequest()).status.ok());
}

TEST_F(AdmissionTest, CancellationEndsAtAStep) {
  Start();
  GeneratePairsRequest request = SmallRequest();
  request.mutable_params()->set_steps(1000);
  request.mutable_params()->set_n_samples(10000);
  const auto call = HeldCall(request);
  call->Cancel();
  EXPECT_TRUE(absl::IsCancelled(call->ReadAll().status));
  sampler().Release();
  EXPECT_TRUE(server_->queue().WaitIdle(absl::InfiniteFuture()));
  EXPECT_LT(sampler().made(), 10000);
  EXPECT_EQ(Metric("ip2p_pairs_cancelled_total"), 1);
  EXPECT_TRUE(Run(SmallRequest()).status.ok());
}

TEST_F(AdmissionTest, ADeadlineEndsTheWork) {
  Start();
  sampler().Hold();
  GeneratePairsRequest request = SmallRequest();
  OpenCall call(*stub_, request, absl::Now() + absl::Milliseconds(300));
  EXPECT_TRUE(absl::IsDeadlineExceeded(call.ReadAll().status));
  sampler().Release();
  EXPECT_TRUE(server_->queue().WaitIdle(absl::InfiniteFuture()));
  EXPECT_TRUE(Run(SmallRequest()).status.ok());
}

TEST_F(AdmissionTest, AReaderThatTakesNothingIsCutOff) {
  ServerConfig config = DefaultConfig();
  config.send_timeout_seconds = 0.3;
  config.send_buffer_mb = 1;
  options_.side = 256;
  options_.batch = 256;
  Start(config);
  GeneratePairsRequest request = SmallRequest(100);  // 100 times 200 pairs of about 4 KiB
  request.mutable_params()->set_n_samples(256);
  request.mutable_params()->set_max_out_samples(200);
  request.mutable_params()->set_clip_threshold(-1);
  request.mutable_params()->set_clip_dir_threshold(-1);
  request.mutable_params()->set_clip_img_threshold(-1);
  OpenCall stalled(*stub_, request);                        // reads nothing
  while (sampler().made() == 0) std::this_thread::yield();  // it came before the next one
  EXPECT_TRUE(Run(SmallRequest()).status.ok());             // its turn comes nevertheless
  const Events rest = stalled.ReadAll();
  EXPECT_FALSE(rest.status.ok());
  EXPECT_LT(rest.finished.size(), 100u);
  EXPECT_TRUE(server_->queue().WaitIdle(absl::InfiniteFuture()));
}

TEST_F(AdmissionTest, ASlowReaderGetsEverything) {
  ServerConfig config = DefaultConfig();
  config.send_buffer_mb = 1;
  options_.side = 256;
  options_.batch = 256;
  Start(config);
  GeneratePairsRequest request = SmallRequest(4);
  request.mutable_params()->set_n_samples(256);
  request.mutable_params()->set_max_out_samples(200);
  request.mutable_params()->set_clip_threshold(-1);
  request.mutable_params()->set_clip_dir_threshold(-1);
  request.mutable_params()->set_clip_img_threshold(-1);
  const Events events = Run(request);
  ASSERT_TRUE(events.status.ok()) << events.status;
  EXPECT_EQ(events.samples.size(), 1024u);
  EXPECT_EQ(events.pairs.size(), 800u);
}

TEST_F(AdmissionTest, ModelsAreLoadedAfterThePorts) {
  Listen(DefaultConfig());
  EXPECT_EQ(Run(SmallRequest()).status.code(), absl::StatusCode::kUnavailable);
  ASSERT_TRUE(server_->LoadModels().ok());
  EXPECT_TRUE(Run(SmallRequest()).status.ok());
}

TEST_F(AdmissionTest, DrainFinishesWhatWasAdmitted) {
  Start();
  const auto running = HeldCall(SmallRequest());
  const auto waiting = Admitted(SmallRequest(), 1);
  std::thread drain([this] { server_->Drain(); });
  sampler().Release();
  EXPECT_TRUE(running->ReadAll().status.ok());
  EXPECT_TRUE(waiting->ReadAll().status.ok());
  drain.join();
  EXPECT_FALSE(Run(SmallRequest()).status.ok());
}

TEST_F(AdmissionTest, DrainEndsWhatIsTooLong) {
  ServerConfig config = DefaultConfig();
  config.drain_seconds = 0;
  Start(config);
  GeneratePairsRequest request = SmallRequest();
  request.mutable_params()->set_steps(1000);
  request.mutable_params()->set_n_samples(10000);
  const auto running = HeldCall(request);
  sampler().Release();
  server_->Drain();
  EXPECT_FALSE(running->ReadAll().status.ok());
}

TEST_F(AdmissionTest, Tokens) {
  const TempFolder folder;
  ServerConfig config = DefaultConfig();
  config.token_file = folder.Write(
      "tokens.json", R"({"tokens":[{"name":"web","token":"sesame-sesame-sesame","roles":["edit"]}]})");
  Start(config);
  EXPECT_EQ(Run(SmallRequest()).status.code(), absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(Run(SmallRequest(), "wrong-wrong-wrong").status.code(), absl::StatusCode::kUnauthenticated);
  EXPECT_TRUE(Run(SmallRequest(), "sesame-sesame-sesame").status.ok());
}

}  // namespace
}  // namespace ip2p::pair_generator
