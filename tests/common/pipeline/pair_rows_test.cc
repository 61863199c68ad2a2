#include "common/pipeline/pair_rows.h"

#include <gtest/gtest.h>

#include <utility>

namespace ip2p {
namespace {

// What every plan must hold: each of a pair's four predictions comes from a row of its image and text, and
// borrower i is image 1 under owner i's half of the guidance.
void ExpectServes(const PairRows& plan, const std::vector<bool>& shares, PairPhase phase) {
  const auto rows = static_cast<int64_t>(plan.rows.size());
  ASSERT_EQ(plan.row_of.size(), shares.size());
  for (size_t p = 0; p < shares.size(); ++p) {
    for (const PairBranch branch : {kUncond0, kUncond1, kCond0, kCond1}) {
      const bool second = branch == kUncond1 || branch == kCond1;
      if (phase == PairPhase::kSecond && !second) continue;  // nobody asks
      const int64_t image = second && phase != PairPhase::kOne ? 1 : 0;
      const PairRow& row = plan.rows.at(plan.row_of[p][branch]);
      EXPECT_EQ(row.pair, static_cast<int64_t>(p));
      EXPECT_EQ(row.text, branch == kCond0 || branch == kCond1 ? kFirstCaption + image : kEmptyText);
      if (phase != PairPhase::kTwo && phase != PairPhase::kSecond && row.text == kEmptyText)
        continue;  // either image does
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

// One pair with shared maps takes all four rows; without, `apart_rows`.
void ExpectSolo(PairPhase phase, size_t apart_rows) {
  const PairRows shared = PlanPairRows({true}, phase);
  EXPECT_EQ(shared.rows.size(), 4);
  EXPECT_EQ(shared.borrowers, 2);
  ExpectServes(shared, {true}, phase);
  const PairRows apart = PlanPairRows({false}, phase);
  EXPECT_EQ(apart.rows.size(), apart_rows);
  EXPECT_EQ(apart.borrowers, 0);
  ExpectServes(apart, {false}, phase);
}

TEST(PairRows, SoloPair) { ExpectSolo(PairPhase::kTwo, 4); }

TEST(PairRows, AKnownFirstImageHasRowsForItsMapsOnly) { ExpectSolo(PairPhase::kSecond, 2); }

TEST(PairRows, OneUnconditionalRowServesBothImagesAtTheStart) {
  for (const bool shares : {true, false}) {
    const PairRows plan = PlanPairRows({shares}, PairPhase::kParting);
    EXPECT_EQ(plan.rows.size(), 3);
    EXPECT_EQ(plan.borrowers, shares ? 1 : 0);
    EXPECT_EQ(plan.row_of[0][kUncond0], plan.row_of[0][kUncond1]);
    ExpectServes(plan, {shares}, PairPhase::kParting);
  }
}

TEST(PairRows, ACommonStepIsTheFirstImagesAndBorrowsNothing) {
  for (const bool shares : {true, false}) {
    const PairRows plan = PlanPairRows({shares}, PairPhase::kOne);
    EXPECT_EQ(plan.rows.size(), 2);
    EXPECT_EQ(plan.borrowers, 0);
    ExpectServes(plan, {shares}, PairPhase::kOne);
  }
}

TEST(PairRows, BatchesMix) {
  for (int bits = 0; bits < 32; ++bits) {
    std::vector<bool> shares;
    for (int p = 0; p < 5; ++p) shares.push_back((bits >> p & 1) != 0);
    for (const auto& [phase, rows] : {std::pair(PairPhase::kOne, 10), std::pair(PairPhase::kParting, 15),
                                      std::pair(PairPhase::kTwo, 20)}) {
      const PairRows plan = PlanPairRows(shares, phase);
      EXPECT_EQ(plan.rows.size(), rows);
      ExpectServes(plan, shares, phase);
    }
  }
}

}  // namespace
}  // namespace ip2p
