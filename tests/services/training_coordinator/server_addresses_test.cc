#include "services/training_coordinator/server_addresses.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ip2p::training_coordinator {
namespace {

using ::testing::HasSubstr;

TEST(ServerAddresses, SeveralEachOnce) {
  const auto servers = ResolveServers("127.0.0.1:50052,[::1]:50052,127.0.0.2:7,127.0.0.1:50052");
  ASSERT_TRUE(servers.ok()) << servers.status();
  ASSERT_EQ(servers->size(), 3);
  EXPECT_EQ(servers->at(0).target, "ipv4:127.0.0.1:50052");
  EXPECT_EQ(servers->at(1).target, "ipv6:[::1]:50052");
  EXPECT_EQ(servers->at(1).host, "::1");
  EXPECT_EQ(servers->at(2).said, "127.0.0.2:7");
}

TEST(ServerAddresses, ANameKeepsItsNameForTheCertificate) {
  const auto servers = ResolveServers("localhost:50052");
  ASSERT_TRUE(servers.ok()) << servers.status();
  ASSERT_EQ(servers->size(), 1) << "of two families one is taken";
  EXPECT_EQ(servers->at(0).host, "localhost");
  EXPECT_NE(servers->at(0).said, "localhost:50052");
}

TEST(ServerAddresses, WhatIsNoAddress) {
  for (const char* bad :
       {"", "edit-server", "edit-server:", ":50052", "a:0", "a:65536", "a:http", "::1", "a:1,"}) {
    const absl::Status status = CheckServers(bad);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << bad;
    EXPECT_THAT(std::string(status.message()), HasSubstr("wants HOST:PORT")) << bad;
  }
  EXPECT_EQ(ResolveServers("no-such-host.invalid:50052").status().code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace ip2p::training_coordinator
