// A pair generator on a free port of this machine, with samplers of hashes that a test can hold between two
// steps, and a client of it.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/rpc/status.h"
#include "grpcpp/create_channel.h"
#include "gtest/gtest.h"
#include "ip2p/pair/v1/pair_service.grpc.pb.h"
#include "services/pair_generator/pair_server.h"
#include "tests/fakes/fake_pair_sampler.h"

namespace ip2p::pair_generator {

using pair::v1::GeneratePairsRequest;
using pair::v1::GeneratePairsResponse;

struct Events {
  std::vector<GeneratePairsResponse> all;
  std::vector<pair::v1::Sample> samples;
  std::vector<pair::v1::Pair> pairs;
  std::vector<pair::v1::PromptFinished> finished;
  absl::Status status;
};

// A call that a test reads when it likes.
class OpenCall {
 public:
  OpenCall(pair::v1::PairService::Stub& stub, const GeneratePairsRequest& request,
           absl::Time deadline = absl::InfiniteFuture(), const std::string& token = "") {
    if (deadline != absl::InfiniteFuture()) context_.set_deadline(absl::ToChronoTime(deadline));
    if (!token.empty()) context_.AddMetadata("authorization", "Bearer " + token);
    reader_ = stub.GeneratePairs(&context_, request);
  }
  bool Read(GeneratePairsResponse& event) { return reader_->Read(&event); }
  void Cancel() { context_.TryCancel(); }
  Events ReadAll() {
    Events events;
    GeneratePairsResponse event;
    while (Read(event)) {
      events.all.push_back(event);
      if (event.has_sample()) events.samples.push_back(event.sample());
      if (event.has_pair()) events.pairs.push_back(event.pair());
      if (event.has_finished()) events.finished.push_back(event.finished());
    }
    events.status = FromGrpc(reader_->Finish());
    return events;
  }

 private:
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReader<GeneratePairsResponse>> reader_;
};

class ServerTest : public ::testing::Test {
 protected:
  static ServerConfig DefaultConfig() {
    ServerConfig config;
    config.listen = "127.0.0.1:0";
    config.metrics_listen.clear();
    config.models = {{"default", {}}};
    return config;
  }
  // The ports, and no model yet.
  void Listen(const ServerConfig& config) {
    auto server = PairServer::Start(config, [this](const ModelSpec&) {
      auto sampler = std::make_unique<FakePairSampler>(options_);
      samplers_.push_back(sampler.get());
      return sampler;
    });
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    channel_ = grpc::CreateChannel(absl::StrCat("127.0.0.1:", server_->rpc().port()),
                                   grpc::InsecureChannelCredentials());
    stub_ = pair::v1::PairService::NewStub(channel_);
  }
  void Start(const ServerConfig& config) {
    Listen(config);
    ASSERT_TRUE(server_->LoadModels().ok());
  }
  void Start() { Start(DefaultConfig()); }
  FakePairSampler& sampler() { return *samplers_.front(); }

  static GeneratePairsRequest SmallRequest(int prompts = 1) {
    GeneratePairsRequest request;
    for (int i = 0; i < prompts; ++i) {
      request.add_prompts()->set_caption(absl::StrCat("caption ", i));
      request.mutable_prompts(i)->set_output(absl::StrCat("output ", i));
    }
    pair::v1::PairParams& params = *request.mutable_params();
    params.set_steps(3);
    params.set_n_samples(10);
    params.set_max_out_samples(2);
    params.set_clip_threshold(0.2);
    params.set_clip_dir_threshold(0.2);
    params.set_clip_img_threshold(0.2);
    return request;
  }
  Events Run(const GeneratePairsRequest& request, const std::string& token = "") {
    return OpenCall(*stub_, request, absl::InfiniteFuture(), token).ReadAll();
  }
  // Of a metric without labels.
  double Metric(const std::string& name) const {
    for (const auto& family : server_->metrics().registry()->Collect()) {
      if (family.name != name || family.metric.empty()) continue;
      const auto& metric = family.metric.front();
      return metric.counter.value + metric.gauge.value + static_cast<double>(metric.histogram.sample_count);
    }
    return -1;
  }

  FakePairSamplerOptions options_;
  std::vector<FakePairSampler*> samplers_;
  std::unique_ptr<PairServer> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<pair::v1::PairService::Stub> stub_;
};

}  // namespace ip2p::pair_generator
