#include "common/pipeline/batch_trials.h"

#include <gtest/gtest.h>

namespace ip2p {
namespace {

TEST(BatchTrials, EveryKindIsProvenForItself) {
  BatchTrials trials;
  const BatchTrials::Kind kind{.side = 8, .pairs = 4, .shared = 2};
  EXPECT_FALSE(trials.Proven(kind));
  EXPECT_FALSE(trials.Differs(kind));
  trials.Learn(kind, /*equal=*/true);
  EXPECT_TRUE(trials.Proven(kind));
  for (const BatchTrials::Kind& other :
       {BatchTrials::Kind{.side = 16, .pairs = 4, .shared = 2},
        BatchTrials::Kind{.side = 8, .pairs = 3, .shared = 2},
        BatchTrials::Kind{.side = 8, .pairs = 4, .shared = 1},
        BatchTrials::Kind{.side = 8, .pairs = 4, .shared = 2, .phase = PairPhase::kParting}}) {
    EXPECT_FALSE(trials.Proven(other));
  }
}

TEST(BatchTrials, OneDifferenceEndsTheTrialsOfItsSize) {
  BatchTrials trials;
  trials.Learn({.side = 8, .pairs = 4, .shared = 4}, /*equal=*/false);
  EXPECT_TRUE(trials.Differs({.side = 8, .pairs = 2, .shared = 1}));
  EXPECT_FALSE(trials.Proven({.side = 8, .pairs = 4, .shared = 4}));
  EXPECT_FALSE(trials.Differs({.side = 16, .pairs = 2, .shared = 1}));
}

}  // namespace
}  // namespace ip2p
