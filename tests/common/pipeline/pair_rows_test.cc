#include "common/pipeline/pair_rows.h"

#include <gtest/gtest.h>

namespace ip2p {
namespace {

// What every plan must hold: each of a pair's four predictions comes from a row of its image and text, and
// borrower i is image 1 under owner i's half of the guidance.
void ExpectServes(const PairRows& plan, const std::vector<bool>& shares, bool same_start) {
  const auto rows = static_cast<int64_t>(plan.rows.size());
  ASSERT_EQ(plan.row_of.size(), shares.size());
  for (size_t p = 0; p < shares.size(); ++p) {
    for (const PairBranch branch : {kUncond0, kUncond1, kCond0, kCond1}) {
      const int64_t image = branch == kUncond1 || branch == kCond1 ? 1 : 0;
      const PairRow& row = plan.rows.at(plan.row_of[p][branch]);
      EXPECT_EQ(row.pair, static_cast<int64_t>(p));
      EXPECT_EQ(row.text, branch == kCond0 || branch == kCond1 ? kFirstCaption + image : kEmptyText);
      if (same_start && row.text == kEmptyText) continue;  // either image does
      EXPECT_EQ(row.image, image);
    }
  }
  for (int64_t i = 0; i < plan.borrowers; ++i) {
    const PairRow& owner = plan.rows.at(i);
    const PairRow& borrower = plan.rows.at(rows - plan.borrowers + i);
    EXPECT_EQ(owner.pair, borrower.pair);
    EXPECT_EQ(owner.image, 0);
    EXPECT_EQ(borrower.image, 1);
    EXPECT_EQ(owner.text == kEmptyText, borrower.text == kEmptyText);
    EXPECT_TRUE(shares[owner.pair]);
  }
}

TEST(PairRows, SoloPair) {
  const PairRows shared = PlanPairRows({true}, /*same_start=*/false);
  EXPECT_EQ(shared.rows.size(), 4);
  EXPECT_EQ(shared.borrowers, 2);
  ExpectServes(shared, {true}, false);
  const PairRows apart = PlanPairRows({false}, /*same_start=*/false);
  EXPECT_EQ(apart.rows.size(), 4);
  EXPECT_EQ(apart.borrowers, 0);
  ExpectServes(apart, {false}, false);
}

TEST(PairRows, OneUnconditionalRowServesBothImagesAtTheStart) {
  for (const bool shares : {true, false}) {
    const PairRows plan = PlanPairRows({shares}, /*same_start=*/true);
    EXPECT_EQ(plan.rows.size(), 3);
    EXPECT_EQ(plan.borrowers, shares ? 1 : 0);
    EXPECT_EQ(plan.row_of[0][kUncond0], plan.row_of[0][kUncond1]);
    ExpectServes(plan, {shares}, true);
  }
}

TEST(PairRows, BatchesMix) {
  for (int bits = 0; bits < 32; ++bits) {
    std::vector<bool> shares;
    for (int p = 0; p < 5; ++p) shares.push_back((bits >> p & 1) != 0);
    for (const bool same_start : {false, true}) {
      const PairRows plan = PlanPairRows(shares, same_start);
      EXPECT_EQ(plan.rows.size(), same_start ? 15 : 20);
      ExpectServes(plan, shares, same_start);
    }
  }
}

}  // namespace
}  // namespace ip2p
