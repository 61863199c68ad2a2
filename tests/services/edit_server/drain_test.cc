// Shutting down: what was admitted is finished and delivered, what comes later is refused.
#include <atomic>
#include <thread>

#include "tests/common/rpc/generic_call.h"
#include "tests/services/edit_server/server_fixture.h"

namespace ip2p::edit_server {
namespace {

class DrainTest : public ServerTest {};

TEST_F(DrainTest, AdmittedEditsFinishAndNewOnesAreRefused) {
  run_by_itself_ = false;
  Start();
  std::vector<std::unique_ptr<EditStream>> streams;
  for (int i = 0; i < 8; ++i) {  // a batch runs, as many wait
    streams.push_back(std::make_unique<EditStream>(*stub_, GoodRequest()));
    ASSERT_TRUE(streams.back()->AwaitAccepted());
  }
  ASSERT_TRUE(engine().AwaitWaiting(8));
  engine().Step();
  std::thread drain([&] { server_->Drain(); });
  absl::Status late;
  do {  // until the drain has begun; edits that still get in are given up again
    grpc::ClientContext context;
    EditRequest request = GoodRequest();
    request.mutable_params()->clear_instruction();
    EditResponse response;
    late = FromGrpc(stub_->Edit(&context, request, &response));
  } while (late.ok());
  EXPECT_EQ(late.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(testing::HealthOf(NewChannel(), "ip2p.edit.v1.EditService"), testing::kNotServing);
  EXPECT_EQ(testing::HealthOf(NewChannel(), ""), testing::kServing);

  engine().StepUntilIdle();
  for (auto& stream : streams) {
    EXPECT_TRUE(stream->Finish().ok());
    EXPECT_EQ(stream->result().outputs_size(), 1);
  }
  drain.join();
  EXPECT_EQ(Edit(GoodRequest()).code(), absl::StatusCode::kUnavailable);
}

TEST_F(DrainTest, UnderLoadEveryAdmittedEditIsAnswered) {
  ServerConfig config = DefaultConfig();
  config.queue_limit = 100;
  Start(config);
  std::atomic<int> accepted = 0, answered = 0, odd = 0;
  std::atomic<bool> refused = false;
  std::vector<std::thread> callers;
  for (int i = 0; i < 6; ++i) {
    callers.emplace_back([&] {
      while (!refused) {
        EditStream stream(*stub_, GoodRequest());
        if (stream.AwaitAccepted()) {
          ++accepted;
          if (stream.Finish().ok()) ++answered;
        } else {
          refused = true;
          // gRPC itself answers what arrives in the moment of its own shutdown, and resets it: CANCELLED.
          const absl::Status status = stream.Finish();
          if (!absl::IsUnavailable(status) && !absl::IsCancelled(status)) {
            ++odd;
            ADD_FAILURE() << status;
          }
        }
      }
    });
  }
  while (answered < 20) std::this_thread::yield();
  server_->Drain();
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(accepted, answered);
  EXPECT_EQ(odd, 0);
}

TEST_F(DrainTest, WhoTakesTooLongIsCutOff) {
  run_by_itself_ = false;
  ServerConfig config = DefaultConfig();
  config.drain_seconds = 0;
  Start(config);
  EditStream stream(*stub_, GoodRequest());
  ASSERT_TRUE(stream.AwaitAccepted());
  ASSERT_TRUE(engine().AwaitWaiting(1));
  server_->Drain();
  EXPECT_FALSE(stream.Finish().ok());
}

TEST_F(DrainTest, AServerThatIsDestroyedGivesUpItsEdits) {
  run_by_itself_ = false;
  Start();
  EditStream stream(*stub_, GoodRequest());
  ASSERT_TRUE(stream.AwaitAccepted());
  ASSERT_TRUE(engine().AwaitWaiting(1));
  std::thread destroyer([&] { server_.reset(); });
  ASSERT_TRUE(engine().AwaitCancelRequests(1));
  engine().Step();  // the queue waits for it
  destroyer.join();
  EXPECT_FALSE(stream.Finish().ok());
}

}  // namespace
}  // namespace ip2p::edit_server
