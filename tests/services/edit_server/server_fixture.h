// An edit server over a fake engine on free ports of this machine, and a client of it.
#pragma once

#include <deque>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/rpc/status.h"
#include "grpcpp/create_channel.h"
#include "gtest/gtest.h"
#include "ip2p/edit/v1/edit_service.grpc.pb.h"
#include "ip2p/model/v1/model_service.grpc.pb.h"
#include "services/edit_server/edit_server.h"
#include "tests/common/image/picture_bytes.h"
#include "tests/fakes/fake_edit_engine.h"

namespace ip2p::edit_server {

using edit::v1::EditRequest;
using edit::v1::EditResponse;
using edit::v1::StreamEditRequest;
using edit::v1::StreamEditResponse;

// Longer than any of this takes; a test that needs it has failed.
inline constexpr absl::Duration kPatience = FakeEditEngine::kPatience;

inline std::string Photo(int width = 96, int height = 64) {
  return *EncodeImage(testing::Gradient(width, height), {.format = ImageFormat::kPng});
}

inline EditRequest GoodRequest() {
  EditRequest request;
  request.mutable_image()->set_data(Photo());
  request.mutable_params()->set_instruction("make it blue");
  request.mutable_params()->set_steps(4);
  request.mutable_params()->set_resolution(64);
  request.mutable_params()->set_seed(7);
  return request;
}

class ServerTest : public ::testing::Test {
 protected:
  static ServerConfig DefaultConfig() {
    ServerConfig config;
    config.listen = config.admin_listen = "127.0.0.1:0";
    config.metrics_listen.clear();
    config.models = {{"first", "unused", ""}};
    return config;
  }

  // Engines are found in engines_, in the order of their loading.
  void Start(const ServerConfig& config) {
    auto server =
        EditServer::Start(config, [this](const ModelSpec& spec, EngineObserver*) { return Load(spec); });
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    ASSERT_TRUE(server_->LoadModels().ok());
    stub_ = edit::v1::EditService::NewStub(NewChannel());
  }
  void Start() { Start(DefaultConfig()); }

  virtual absl::StatusOr<std::unique_ptr<EditEngine>> Load(const ModelSpec&) {
    auto engine = std::make_unique<FakeEditEngine>([this](FakeEditEngine* gone) {
      absl::MutexLock lock(&alive_mutex_);
      alive_.erase(gone);
    });
    {
      absl::MutexLock lock(&alive_mutex_);
      alive_.insert(engine.get());
    }
    engine->RunByItself(run_by_itself_);
    engines_.push_back(engine.get());
    return engine;
  }

  // A server that goes waits until its engines have dropped its edits, so these must run on.
  void TearDown() override {
    absl::MutexLock lock(&alive_mutex_);
    for (FakeEditEngine* alive : alive_) alive->RunByItself(true);
  }

  std::shared_ptr<grpc::Channel> NewChannel(int port) const {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);  // a connection of its own
    arguments.SetMaxReceiveMessageSize(-1);
    return grpc::CreateCustomChannel(absl::StrCat("127.0.0.1:", port), grpc::InsecureChannelCredentials(),
                                     arguments);
  }
  std::shared_ptr<grpc::Channel> NewChannel() const { return NewChannel(server_->rpc().port()); }

  absl::Status Edit(const EditRequest& request, EditResponse* response = nullptr) {
    grpc::ClientContext context;
    EditResponse unused;
    return FromGrpc(stub_->Edit(&context, request, response != nullptr ? response : &unused));
  }

  FakeEditEngine& engine() { return *engines_.front(); }
  bool AwaitIdle() { return server_->queue().WaitIdle(absl::Now() + kPatience); }
  // The value of a gauge or counter without labels.
  double Metric(const std::string& name) {
    for (const auto& family : server_->metrics().registry()->Collect()) {
      if (family.name != name || family.metric.empty()) continue;
      const auto& metric = family.metric[0];
      return family.type == prometheus::MetricType::Gauge ? metric.gauge.value : metric.counter.value;
    }
    return -1;
  }

  bool run_by_itself_ = true;
  absl::Mutex alive_mutex_;
  std::set<FakeEditEngine*> alive_ ABSL_GUARDED_BY(alive_mutex_);
  std::deque<FakeEditEngine*> engines_;
  std::unique_ptr<EditServer> server_;
  std::unique_ptr<edit::v1::EditService::Stub> stub_;
};

// An edit under way, whose events are read one by one.
class EditStream {
 public:
  EditStream(edit::v1::EditService::Stub& stub, const EditRequest& edit, int preview_every = 0) {
    StreamEditRequest request;
    *request.mutable_edit() = edit;
    request.set_preview_every(preview_every);
    reader_ = stub.StreamEdit(&context_, request);
  }
  ~EditStream() {
    context_.TryCancel();
    if (reader_ != nullptr) Finish().IgnoreError();
  }

  // The next event; kind EVENT_NOT_SET at the end.
  StreamEditResponse Next() {
    StreamEditResponse event;
    if (!reader_->Read(&event)) event.Clear();
    return event;
  }
  bool AwaitAccepted() { return Next().has_accepted(); }
  // Reads to the end; the result, if there was one, is in result().
  absl::Status Finish() {
    for (StreamEditResponse event = Next(); event.event_case() != StreamEditResponse::EVENT_NOT_SET;
         event = Next()) {
      if (event.has_result()) result_ = event.result();
      if (event.has_progress()) progress_.push_back(event.progress());
    }
    const absl::Status status = FromGrpc(reader_->Finish());
    reader_.reset();
    return status;
  }
  void Cancel() { context_.TryCancel(); }
  const edit::v1::EditResult& result() const { return result_; }
  const std::vector<edit::v1::EditProgress>& progress() const { return progress_; }

 private:
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReader<StreamEditResponse>> reader_;
  edit::v1::EditResult result_;
  std::vector<edit::v1::EditProgress> progress_;
};

}  // namespace ip2p::edit_server
