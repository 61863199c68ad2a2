// A server with one small service on real sockets: health, reflection, TLS, bounds, draining.
#include "common/rpc/server.h"

#include <fstream>
#include <sstream>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "common/rpc/call_scope.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"
#include "gtest/gtest.h"
#include "ip2p/model/v1/model_service.grpc.pb.h"
#include "tests/common/rpc/generic_call.h"

namespace ip2p {
namespace {

// Answers GetModel with the caller's identity; waits when asked for "slow".
class EchoService final : public model::v1::ModelService::Service {
 public:
  grpc::Status GetModel(grpc::ServerContext* context, const model::v1::GetModelRequest* request,
                        model::v1::GetModelResponse* response) override {
    CallScope call(*context, {&authenticator, &tracker}, "GetModel", Role::kAdmin);
    response->mutable_model()->mutable_model()->set_name(call.caller());
    if (request->name() == "slow") {
      entered.Notify();
      leave.WaitForNotification();
    }
    return call.Finish(call.admitted());
  }
  Authenticator authenticator;
  CallTracker tracker;
  absl::Notification entered, leave;
};

std::string Pem(const std::string& name) {
  std::ifstream file(absl::StrCat(IP2P_TESTDATA, "/", name));
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

class RpcServerTest : public ::testing::Test {
 protected:
  void Start(RpcServerOptions options = {}) {
    auto server = RpcServer::Start(options, {&service_}, {"ip2p.model.v1.ModelService"});
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }
  std::shared_ptr<grpc::Channel> Channel(
      std::shared_ptr<grpc::ChannelCredentials> credentials = grpc::InsecureChannelCredentials()) {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    arguments.SetSslTargetNameOverride(
        "localhost");  // as the certificate says; to look it up leaks in c-ares
    return grpc::CreateCustomChannel(absl::StrCat("127.0.0.1:", server_->port()), credentials, arguments);
  }
  grpc::Status Get(const std::shared_ptr<grpc::Channel>& channel, std::string* caller,
                   const std::string& name = "") {
    grpc::ClientContext context;
    model::v1::GetModelRequest request;
    model::v1::GetModelResponse response;
    request.set_name(name);
    const grpc::Status status =
        model::v1::ModelService::NewStub(channel)->GetModel(&context, request, &response);
    if (caller != nullptr) *caller = response.model().model().name();
    return status;
  }
  int Health(const std::string& service) { return testing::HealthOf(Channel(), service); }

  EchoService service_;
  std::unique_ptr<RpcServer> server_;
};

TEST_F(RpcServerTest, HealthTellsAliveAndReady) {
  Start();
  EXPECT_EQ(Health(""), testing::kServing);
  EXPECT_EQ(Health("ip2p.model.v1.ModelService"), testing::kNotServing);
  server_->SetServing(true);
  EXPECT_EQ(Health("ip2p.model.v1.ModelService"), testing::kServing);
  server_->SetServing(false);
  EXPECT_EQ(Health("ip2p.model.v1.ModelService"), testing::kNotServing);
  EXPECT_EQ(Health(""), testing::kServing);
  EXPECT_EQ(Health("unknown.Service"), testing::kUnknownService);
}

TEST_F(RpcServerTest, ReflectionListsTheServices) {
  Start();
  const std::string services = testing::ReflectedServices(Channel());
  EXPECT_NE(services.find("ip2p.model.v1.ModelService"), std::string::npos);
  EXPECT_NE(services.find("grpc.health.v1.Health"), std::string::npos);
}

TEST_F(RpcServerTest, CallersOfOneAddressAreOne) {
  Start();
  std::string first, second;
  ASSERT_TRUE(Get(Channel(), &first).ok());
  ASSERT_TRUE(Get(Channel(), &second).ok());
  EXPECT_EQ(first, second);
  EXPECT_EQ(first.substr(0, 5), "peer:");
}

TEST_F(RpcServerTest, MessagesOverTheLimitAreRefused) {
  Start({.max_message_bytes = 1000});
  EXPECT_EQ(Get(Channel(), nullptr, std::string(2000, 'x')).error_code(),
            grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_TRUE(Get(Channel(), nullptr).ok());
}

TEST_F(RpcServerTest, ATakenPortIsAnError) {
  Start();
  EchoService other;
  const auto second =
      RpcServer::Start({.address = absl::StrCat("127.0.0.1:", server_->port())}, {&other}, {});
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(RpcServerTest, ShutdownWaitsForOpenCallsAndRefusesNewOnes) {
  Start();
  grpc::Status slow;
  std::thread caller([&, channel = Channel()] { slow = Get(channel, nullptr, "slow"); });
  service_.entered.WaitForNotification();
  EXPECT_EQ(service_.tracker.open(), 1);
  std::thread shutdown([&] { server_->Shutdown(absl::Now() + absl::Seconds(60)); });
  while (Get(Channel(), nullptr).ok()) {  // until the listener is closed
  }
  service_.leave.Notify();
  caller.join();
  shutdown.join();
  EXPECT_TRUE(slow.ok()) << slow.error_message();
  EXPECT_TRUE(service_.tracker.WaitIdle(absl::Now()));
}

TlsOptions ServerTls(bool mutual) {
  const std::string folder = IP2P_TESTDATA;
  return {folder + "/server.pem", folder + "/server_key.pem", mutual ? folder + "/ca.pem" : ""};
}

TEST_F(RpcServerTest, Tls) {
  Start({.tls = ServerTls(false)});
  EXPECT_TRUE(Get(Channel(grpc::SslCredentials({.pem_root_certs = Pem("ca.pem")})), nullptr).ok());
  EXPECT_EQ(Get(Channel(grpc::SslCredentials({.pem_root_certs = Pem("other_ca.pem")})), nullptr).error_code(),
            grpc::StatusCode::UNAVAILABLE);
  EXPECT_FALSE(Get(Channel(), nullptr).ok());  // plain text
}

TEST_F(RpcServerTest, MutualTlsNamesTheCaller) {
  Start({.tls = ServerTls(true)});
  std::string caller;
  const auto with = [](const char* name) {
    return grpc::SslCredentials(
        {Pem("ca.pem"), Pem(absl::StrCat(name, "_key.pem")), Pem(absl::StrCat(name, ".pem"))});
  };
  ASSERT_TRUE(Get(Channel(with("client")), &caller).ok());
  EXPECT_EQ(caller, "cert:web-client");
  EXPECT_FALSE(Get(Channel(with("stranger")), nullptr).ok());
  EXPECT_FALSE(Get(Channel(grpc::SslCredentials({.pem_root_certs = Pem("ca.pem")})), nullptr).ok());
}

TEST(RpcServerTlsTest, HalfOrUnreadableFilesAreRefused) {
  EXPECT_EQ(RpcServer::Start({.tls = {.cert_file = "x"}}, {}, {}).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(RpcServer::Start({.tls = {.cert_file = "/nonexistent", .key_file = "/nonexistent"}}, {}, {})
                .status()
                .code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace ip2p
