// Tokens on both ports, and the figures that the world may see.
#include <fstream>

#include "gmock/gmock.h"
#include "tests/common/metrics/http_get.h"
#include "tests/common/rpc/generic_call.h"
#include "tests/services/edit_server/server_fixture.h"

namespace ip2p::edit_server {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class AccessTest : public ServerTest {
 protected:
  ServerConfig WithTokens() {
    const std::string path =
        absl::StrCat(::testing::TempDir(), "/tokens_",
                     ::testing::UnitTest::GetInstance()->current_test_info()->name(), ".json");
    std::ofstream(path) << R"({"tokens": [
        {"name": "web", "token": "web-token-0123456789", "roles": ["edit"]},
        {"name": "ops", "token": "ops-token-0123456789", "roles": ["admin"]},
        {"name": "old", "token": "old-token-0123456789", "roles": ["edit"], "expires": "2001-01-01T00:00:00Z"}]})";
    ServerConfig config = DefaultConfig();
    config.token_file = path;
    return config;
  }
  absl::Status EditAs(const std::string& token) {
    grpc::ClientContext context;
    if (!token.empty()) context.AddMetadata("authorization", "Bearer " + token);
    EditResponse response;
    return FromGrpc(stub_->Edit(&context, GoodRequest(), &response));
  }
  absl::Status ListAs(const std::string& token) {
    grpc::ClientContext context;
    if (!token.empty()) context.AddMetadata("authorization", "Bearer " + token);
    model::v1::ListModelsResponse response;
    auto stub = model::v1::ModelService::NewStub(NewChannel(server_->admin().port()));
    return FromGrpc(stub->ListModels(&context, {}, &response));
  }
};

TEST_F(AccessTest, TokensDecideWhoMayEdit) {
  Start(WithTokens());
  EXPECT_TRUE(EditAs("web-token-0123456789").ok());
  EXPECT_TRUE(EditAs("ops-token-0123456789").ok());
  for (const char* token : {"", "guess", "old-token-0123456789"}) {
    EXPECT_EQ(EditAs(token).code(), absl::StatusCode::kUnauthenticated) << token;
  }
  EXPECT_EQ(engine().submitted(), 2);
}

TEST_F(AccessTest, OnlyOperatorsMayUseTheAdminPort) {
  Start(WithTokens());
  EXPECT_TRUE(ListAs("ops-token-0123456789").ok());
  EXPECT_EQ(ListAs("web-token-0123456789").code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(ListAs("").code(), absl::StatusCode::kUnauthenticated);
}

TEST_F(AccessTest, ProbesNeedNoToken) {
  Start(WithTokens());
  EXPECT_EQ(testing::HealthOf(NewChannel(), "ip2p.edit.v1.EditService"), testing::kServing);
  EXPECT_EQ(testing::HealthOf(NewChannel(server_->admin().port()), ""), testing::kServing);
}

TEST_F(AccessTest, RequestIdsBelongToTheirCaller) {
  Start(WithTokens());
  EditRequest request = GoodRequest();
  request.set_request_id("order-1");
  for (const char* token : {"web-token-0123456789", "ops-token-0123456789"}) {
    grpc::ClientContext context;
    context.AddMetadata("authorization", absl::StrCat("Bearer ", token));
    EditResponse response;
    ASSERT_TRUE(stub_->Edit(&context, request, &response).ok());
    EXPECT_FALSE(response.result().replayed());
  }
  EXPECT_EQ(engine().submitted(), 2);
}

TEST_F(AccessTest, PortsShowTheirServices) {
  Start();
  const std::string callers = testing::ReflectedServices(NewChannel());
  EXPECT_THAT(callers, HasSubstr("ip2p.edit.v1.EditService"));
  EXPECT_THAT(callers, Not(HasSubstr("ip2p.model.v1.ModelService")));
  EXPECT_THAT(testing::ReflectedServices(NewChannel(server_->admin().port())),
              HasSubstr("ip2p.model.v1.ModelService"));
  EXPECT_THAT(server_->ReadyLine(),
              HasSubstr(absl::StrCat("{\"event\":\"ready\",\"port\":", server_->rpc().port())));
}

TEST_F(AccessTest, MetricsHaveTheNamesThatDashboardsUse) {
  ServerConfig config = DefaultConfig();
  config.metrics_listen = "127.0.0.1:0";
  Start(config);
  ASSERT_TRUE(Edit(GoodRequest()).ok());
  EditRequest bad = GoodRequest();
  bad.set_model("a model that nobody has");
  EXPECT_FALSE(Edit(bad).ok());
  server_->metrics().OnStage("decode", absl::Seconds(1));
  server_->metrics().OnStep(2, absl::Seconds(1));
  const std::string page = testing::HttpGet(server_->metrics_port(), "/metrics");
  for (const char* line : {
           "ip2p_edit_requests_total{code=\"OK\",model=\"first\"} 1",
           "ip2p_edit_requests_total{code=\"NOT_FOUND\",model=\"unknown\"} 1",
           "ip2p_edit_queue_depth 0",
           "ip2p_edit_in_flight 0",
           "ip2p_edit_queue_duration_seconds_count 1",
           "ip2p_edit_request_duration_seconds_count 1",
           "ip2p_edit_stage_duration_seconds_count{stage=\"decode\"} 1",
           "ip2p_edit_stage_duration_seconds_count{stage=\"read_image\"} 1",
           "ip2p_edit_stage_duration_seconds_count{stage=\"write_image\"} 1",
           "ip2p_edit_denoise_step_duration_seconds_count 1",
           "ip2p_edit_batch_size_sum 2",
           "ip2p_edit_cancelled_total 0",
           "ip2p_edit_model_failures_total 0",
       }) {
    EXPECT_THAT(page, HasSubstr(line));
  }
  EXPECT_THAT(page, Not(HasSubstr("nobody has")));
  EXPECT_THAT(page, Not(HasSubstr("make it blue")));
}

}  // namespace
}  // namespace ip2p::edit_server
