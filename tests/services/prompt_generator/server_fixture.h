// A prompt generator on a free port of this machine, with the offline provider, and a client of it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/rpc/status.h"
#include "common/shapes/caption.h"
#include "grpcpp/create_channel.h"
#include "gtest/gtest.h"
#include "ip2p/prompt/v1/prompt_service.grpc.pb.h"
#include "services/prompt_generator/prompt_server.h"
#include "tests/fakes/temp_folder.h"

namespace ip2p::prompt_generator {

using prompt::v1::GeneratePromptRequest;
using prompt::v1::GeneratePromptResponse;
using prompt::v1::GeneratePromptsRequest;
using prompt::v1::GeneratePromptsResponse;

struct RunEvents {
  std::vector<prompt::v1::Outcome> outcomes;
  std::vector<prompt::v1::RunProgress> progress;
  absl::Status status;
};

class ServerTest : public ::testing::Test {
 protected:
  ServerConfig DefaultConfig() const {
    ServerConfig config;
    config.listen = "127.0.0.1:0";
    config.metrics_listen.clear();
    config.data_dir = folder_.path();
    config.providers.provider = ProviderKind::kShapes;
    return config;
  }
  void Start(const ServerConfig& config) {
    auto server = PromptServer::Start(config);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    channel_ = grpc::CreateChannel(absl::StrCat("127.0.0.1:", server_->rpc().port()),
                                   grpc::InsecureChannelCredentials());
    stub_ = prompt::v1::PromptService::NewStub(channel_);
  }
  void Start() { Start(DefaultConfig()); }

  absl::StatusOr<prompt::v1::Outcome> Try(const GeneratePromptRequest& request) {
    grpc::ClientContext context;
    GeneratePromptResponse response;
    const absl::Status status = FromGrpc(stub_->GeneratePrompt(&context, request, &response));
    if (!status.ok()) return status;
    return response.outcome();
  }
  absl::StatusOr<prompt::v1::Outcome> Try(const std::string& caption, uint64_t seed = 0) {
    GeneratePromptRequest request;
    request.mutable_caption()->set_text(caption);
    request.mutable_params()->set_seed(seed);
    return Try(request);
  }

  // Reads all; cancels after so many outcomes, when that is not 0.
  RunEvents Run(const GeneratePromptsRequest& request, size_t cancel_after = 0) {
    grpc::ClientContext context;
    RunEvents events;
    const auto reader = stub_->GeneratePrompts(&context, request);
    GeneratePromptsResponse event;
    while (reader->Read(&event)) {
      if (event.has_progress()) events.progress.push_back(event.progress());
      if (!event.has_outcome()) continue;
      events.outcomes.push_back(event.outcome());
      if (events.outcomes.size() == cancel_after) context.TryCancel();
    }
    events.status = FromGrpc(reader->Finish());
    return events;
  }

  // So many different captions of the miniature world, as a file in the data folder.
  void WriteCaptions(const std::string& name, int count) const {
    std::string text;
    for (int i = 0; i < count; ++i) {
      const shapes::ToldScene told = shapes::RandomScene(static_cast<uint64_t>(i));
      absl::StrAppend(&text, R"({"caption":")", shapes::Caption(told.scene, told.wording), R"("})", "\n");
    }
    folder_.Write(name, text);
  }

  const TempFolder folder_;
  std::unique_ptr<PromptServer> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<prompt::v1::PromptService::Stub> stub_;
};

}  // namespace ip2p::prompt_generator
