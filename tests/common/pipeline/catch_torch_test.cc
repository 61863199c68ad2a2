#include "common/pipeline/catch_torch.h"

#include <gtest/gtest.h>

namespace ip2p {
namespace {

TEST(CatchTorch, MemoryThatRunsOutIsTold) {
  constexpr int64_t kTooMuch = int64_t{1} << 50;
  const auto made = CatchTorch("a test", [] { return torch::empty({kTooMuch}); });
  EXPECT_EQ(made.status(), absl::ResourceExhaustedError("a test: memory ran out"));
}

TEST(CatchTorch, OtherFaultsAreInternalWithoutABacktrace) {
  const auto made = CatchTorch("a test", [] { return torch::ones({2}).view({3}); });
  EXPECT_EQ(made.status().code(), absl::StatusCode::kInternal);
  EXPECT_EQ(made.status().message().find('\n'), absl::string_view::npos);
}

TEST(CatchTorch, WhatTheWorkReturnsComesBack) {
  EXPECT_EQ(*CatchTorch("a test", [] { return 7; }), 7);
  EXPECT_EQ(CatchTorch("a test", [] { return absl::CancelledError("enough"); }),
            absl::CancelledError("enough"));
}

}  // namespace
}  // namespace ip2p
