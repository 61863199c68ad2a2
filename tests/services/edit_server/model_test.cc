// Models that are exchanged while they serve, and those that are no good.
#include <map>

#include "absl/synchronization/notification.h"
#include "gmock/gmock.h"
#include "tests/common/rpc/generic_call.h"
#include "tests/services/edit_server/server_fixture.h"

namespace ip2p::edit_server {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ModelTest : public ServerTest {
 protected:
  absl::StatusOr<std::unique_ptr<EditEngine>> Load(const ModelSpec& spec) override {
    paths_.push_back(spec.path);
    if (hold_ != nullptr) {
      loading_.Notify();
      hold_->WaitForNotification();
    }
    if (!load_status_.ok()) return load_status_;
    auto engine = ServerTest::Load(spec);
    engines_.back()->RunByItself(true);
    engines_.back()->FailWith(trial_status_);
    return engine;
  }
  absl::Status Reload(const std::string& name = "", const std::string& checkpoint = "",
                      model::v1::ReloadModelResponse* response = nullptr) {
    grpc::ClientContext context;
    model::v1::ReloadModelRequest request;
    model::v1::ReloadModelResponse unused;
    request.set_name(name);
    request.set_checkpoint(checkpoint);
    auto stub = model::v1::ModelService::NewStub(NewChannel(server_->admin().port()));
    return FromGrpc(stub->ReloadModel(&context, request, response != nullptr ? response : &unused));
  }
  model::v1::ModelStatus Get() {
    grpc::ClientContext context;
    model::v1::GetModelResponse response;
    auto stub = model::v1::ModelService::NewStub(NewChannel(server_->admin().port()));
    EXPECT_TRUE(stub->GetModel(&context, {}, &response).ok());
    return response.model();
  }

  std::vector<std::string> paths_;
  absl::Status load_status_, trial_status_;
  absl::Notification loading_;
  absl::Notification* hold_ = nullptr;
};

TEST_F(ModelTest, AReloadTakesOverAndRunningEditsFinishOnTheOldModel) {
  Start();
  engine().RunByItself(false);
  EditStream running(*stub_, GoodRequest());
  ASSERT_TRUE(running.AwaitAccepted());
  ASSERT_TRUE(engine().AwaitWaiting(1));
  engine().Step();

  model::v1::ReloadModelResponse response;
  ASSERT_TRUE(Reload("first", "", &response).ok());
  EXPECT_EQ(response.model().model().revision(), 2);
  ASSERT_EQ(engines_.size(), 2u);
  EXPECT_EQ(engines_[1]->submitted(), 1);  // its trial
  EXPECT_TRUE(Edit(GoodRequest()).ok());
  EXPECT_EQ(engines_[1]->submitted(), 2);
  EXPECT_EQ(engine().running(), 1);  // the old one still works
  engine().StepUntilIdle();
  EXPECT_TRUE(running.Finish().ok());
}

TEST_F(ModelTest, AnEditThatEndsLastFreesTheOldModelFromItsOwnThread) {
  Start();
  for (int i = 0; i < 20; ++i) {  // engines step on their own threads, whose callbacks let go of them last
    EditStream stream(*stub_, GoodRequest());
    ASSERT_TRUE(stream.AwaitAccepted());
    ASSERT_TRUE(Reload().ok());
    EXPECT_TRUE(stream.Finish().ok());
  }
  EXPECT_EQ(Get().model().revision(), 21);
}

TEST_F(ModelTest, WhateverFailsTheOldModelServesOn) {
  Start();
  load_status_ = absl::DataLossError("unet: tensor conv_in.weight is cut short");
  absl::Status status = Reload();
  EXPECT_EQ(status, load_status_);
  EXPECT_EQ(Get().last_error(), status.ToString());
  EXPECT_TRUE(Get().has_last_error_at());
  EXPECT_TRUE(Edit(GoodRequest()).ok());

  load_status_ = absl::OkStatus();
  trial_status_ = absl::InternalError("the model gave NaN");
  status = Reload();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(status.message(), "the model fails a trial edit: the model gave NaN");
  EXPECT_TRUE(Edit(GoodRequest()).ok());
  EXPECT_EQ(Get().model().revision(), 1);

  trial_status_ = absl::OkStatus();
  EXPECT_TRUE(Reload().ok());
  EXPECT_EQ(Get().last_error(), "");
  EXPECT_EQ(Get().model().revision(), 2);
}

TEST_F(ModelTest, OneReloadAtATime) {
  Start();
  absl::Notification go;
  hold_ = &go;
  absl::Status first;
  std::thread reload([&] { first = Reload(); });
  loading_.WaitForNotification();
  EXPECT_TRUE(Get().reloading());
  EXPECT_EQ(Reload().code(), absl::StatusCode::kAborted);
  EXPECT_TRUE(Edit(GoodRequest()).ok());  // and it serves meanwhile
  go.Notify();
  reload.join();
  EXPECT_TRUE(first.ok());
  EXPECT_FALSE(Get().reloading());
}

TEST_F(ModelTest, OtherCheckpointsComeFromTheFolderOfModels) {
  ServerConfig config = DefaultConfig();
  config.models_dir = "/models";
  Start(config);
  ASSERT_TRUE(Reload("first", "run-7/export").ok());
  ASSERT_TRUE(Reload("first").ok());
  EXPECT_THAT(paths_, ElementsAre("unused", "/models/run-7/export", "/models/run-7/export"));
  for (const std::string& name : {std::string("../secret"), std::string("a/../../b"),
                                  std::string("/etc/passwd"), std::string(256, 'a')}) {
    EXPECT_EQ(Reload("first", name).code(), absl::StatusCode::kInvalidArgument) << name;
  }
  EXPECT_EQ(paths_.size(), 3u);
}

TEST_F(ModelTest, WithoutAFolderOfModelsNoCheckpointCanBeNamed) {
  Start();
  EXPECT_EQ(Reload("first", "other").code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(Reload("unknown").code(), absl::StatusCode::kNotFound);
}

TEST_F(ModelTest, UntilTheModelIsLoadedTheServerLivesButRefuses) {
  auto server = EditServer::Start(DefaultConfig(),
                                  [this](const ModelSpec& spec, EngineObserver*) { return Load(spec); });
  ASSERT_TRUE(server.ok());
  server_ = *std::move(server);
  stub_ = edit::v1::EditService::NewStub(NewChannel());
  EXPECT_EQ(testing::HealthOf(NewChannel(), ""), testing::kServing);
  EXPECT_EQ(testing::HealthOf(NewChannel(), "ip2p.edit.v1.EditService"), testing::kNotServing);
  const absl::Status early = Edit(GoodRequest());
  EXPECT_EQ(early.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(early.message()), HasSubstr("still being loaded"));
  ASSERT_TRUE(server_->LoadModels().ok());
  EXPECT_EQ(testing::HealthOf(NewChannel(), "ip2p.edit.v1.EditService"), testing::kServing);
  EXPECT_TRUE(Edit(GoodRequest()).ok());
}

TEST_F(ModelTest, AModelThatCannotBeLoadedIsNamed) {
  load_status_ = absl::NotFoundError("no such checkpoint");
  auto server = EditServer::Start(DefaultConfig(),
                                  [this](const ModelSpec& spec, EngineObserver*) { return Load(spec); });
  ASSERT_TRUE(server.ok());
  EXPECT_EQ((*server)->LoadModels(), absl::NotFoundError("model first: no such checkpoint"));
}

}  // namespace
}  // namespace ip2p::edit_server
