// `ip2p server health` against a server inside of the test.
#include <gmock/gmock.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/server_builder.h>

#include "ip2p/model/v1/model_service.grpc.pb.h"
#include "tests/services/cli/cli_fixture.h"

namespace ip2p {
namespace {

using ::testing::HasSubstr;

class ServerHealthTest : public testing::CliTest {
 protected:
  ServerHealthTest() {
    grpc::EnableDefaultHealthCheckService(true);
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&service_);  // a server without any has no thread to answer with
    server_ = builder.BuildAndStart();
    address_ = "127.0.0.1:" + std::to_string(port);
  }
  ~ServerHealthTest() override {
    server_->Shutdown();
    grpc::EnableDefaultHealthCheckService(false);
  }

  model::v1::ModelService::Service service_;
  std::unique_ptr<grpc::Server> server_;
  std::string address_;
};

TEST_F(ServerHealthTest, TheProcessLives) {
  EXPECT_EQ(Run({"server", "health", "--server", address_}), kExitOk) << err_.str();
  EXPECT_EQ(out_.str(), "SERVING\n");
  EXPECT_EQ(Run({"server", "health", "--server", address_, "--json"}), kExitOk);
  EXPECT_EQ(out_.str(), "{\"status\":\"SERVING\"}\n");
}

TEST_F(ServerHealthTest, AServiceThatDoesNotServeYetIsUnavailable) {
  server_->GetHealthCheckService()->SetServingStatus("a.v1.A", false);
  EXPECT_EQ(Run({"server", "health", "--server", address_, "--service", "a.v1.A"}), kExitUnavailable);
  EXPECT_EQ(out_.str(), "NOT_SERVING\n");
  EXPECT_THAT(err_.str(), HasSubstr("the server is NOT_SERVING; wants SERVING"));
  server_->GetHealthCheckService()->SetServingStatus("a.v1.A", true);
  EXPECT_EQ(Run({"server", "health", "--server", address_, "--service", "a.v1.A"}), kExitOk) << err_.str();
}

TEST_F(ServerHealthTest, AServiceThatIsNoneIsBadInput) {
  EXPECT_EQ(Run({"server", "health", "--server", address_, "--service", "a.v1.B"}), kExitBadInput);
}

TEST_F(ServerHealthTest, NobodyThereIsUnavailable) {
  server_->Shutdown();
  EXPECT_EQ(Run({"server", "health", "--server", address_}), kExitUnavailable);
}

}  // namespace
}  // namespace ip2p
