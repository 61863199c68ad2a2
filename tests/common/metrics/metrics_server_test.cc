// The registry over HTTP, and the bounds of the histograms.
#include "common/metrics/metrics_server.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/metrics/buckets.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "prometheus/counter.h"
#include "prometheus/registry.h"
#include "tests/common/metrics/http_get.h"

namespace ip2p {
namespace {

using ::testing::HasSubstr;

TEST(MetricsServerTest, ServesWhatIsCounted) {
  auto registry = std::make_shared<prometheus::Registry>();
  prometheus::BuildCounter()
      .Name("ip2p_things_total")
      .Help("things")
      .Register(*registry)
      .Add({})
      .Increment(3);
  auto server = MetricsServer::Start("127.0.0.1:0", registry);
  ASSERT_TRUE(server.ok()) << server.status();
  EXPECT_GT((*server)->port(), 0);
  EXPECT_THAT(testing::HttpGet((*server)->port(), "/metrics"), HasSubstr("ip2p_things_total 3"));
}

TEST(MetricsServerTest, ATakenPortIsUnavailable) {
  auto registry = std::make_shared<prometheus::Registry>();
  auto first = MetricsServer::Start("127.0.0.1:0", registry);
  ASSERT_TRUE(first.ok());
  auto second = MetricsServer::Start(absl::StrCat("127.0.0.1:", (*first)->port()), registry);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(MetricsServer::Start("nonsense", registry).status().code(), absl::StatusCode::kUnavailable);
}

TEST(BucketsTest, Rise) {
  for (const auto& bounds : {DurationBuckets(), StepBuckets(), BatchBuckets()}) {
    EXPECT_TRUE(std::is_sorted(bounds.begin(), bounds.end()));
    EXPECT_EQ(std::adjacent_find(bounds.begin(), bounds.end()), bounds.end());
  }
}

}  // namespace
}  // namespace ip2p
