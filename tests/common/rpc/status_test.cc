// absl::Status to gRPC and back, with RetryInfo in the standard details.
#include "common/rpc/status.h"

#include "common/rpc/duration_proto.h"
#include "common/rpc/wire.h"
#include "gtest/gtest.h"

namespace ip2p {
namespace {

TEST(StatusTest, EveryCodeAndMessageSurvivesTheRoundTrip) {
  for (int code = 0; code <= 16; ++code) {
    const absl::Status before(static_cast<absl::StatusCode>(code),
                              code == 0 ? "" : "steps is 0; wants 1..1000");
    const grpc::Status wire = ToGrpc(before);
    EXPECT_EQ(wire.error_code(), code);
    EXPECT_TRUE(wire.error_details().empty());
    EXPECT_EQ(FromGrpc(wire), before);
  }
}

TEST(StatusTest, RetryInfoIsThatOfGoogleRpc) {
  const grpc::Status wire =
      ToGrpc(WithRetryAfter(absl::ResourceExhaustedError("full"), absl::Milliseconds(2500)));
  // google.rpc.Status{code: 8, message: "full", details: Any{type_url, value: RetryInfo{retry_delay: 2.5
  // s}}}, by hand.
  const std::string expected = std::string("\x08\x08\x12\x04") +
                               "full\x1a\x36\x0a\x28type.googleapis.com/google.rpc.RetryInfo" +
                               std::string("\x12\x0a\x0a\x08\x08\x02\x10\x80\xca\xb5\xee\x01");
  EXPECT_EQ(wire.error_details(), expected);
  const absl::Status back = FromGrpc(wire);
  EXPECT_EQ(RetryAfter(back), absl::Milliseconds(2500));
  EXPECT_EQ(back.message(), "full");
}

TEST(StatusTest, DamagedDetailsAreDropped) {
  const std::string good =
      ToGrpc(WithRetryAfter(absl::UnavailableError("x"), absl::Seconds(1))).error_details();
  for (size_t length = 0; length < good.size(); ++length) {
    const absl::Status status = FromGrpc(grpc::Status(grpc::UNAVAILABLE, "x", good.substr(0, length)));
    EXPECT_EQ(RetryAfter(status), std::nullopt) << length;
  }
  EXPECT_EQ(RetryAfter(FromGrpc(grpc::Status(grpc::UNAVAILABLE, "x", "\xff\xff\xff\xff\xff\xff"))),
            std::nullopt);
}

TEST(StatusTest, NoHintWithoutOne) { EXPECT_EQ(RetryAfter(absl::UnavailableError("x")), std::nullopt); }

TEST(DurationProtoTest, KeepsNanoseconds) {
  for (const absl::Duration duration :
       {absl::ZeroDuration(), absl::Nanoseconds(1), absl::Milliseconds(1500)}) {
    EXPECT_EQ(FromProto(DurationProto(duration)), duration);
  }
  EXPECT_EQ(TimestampProto(absl::UnixEpoch() - absl::Milliseconds(250)).nanos(), 750000000);
}

}  // namespace
}  // namespace ip2p
