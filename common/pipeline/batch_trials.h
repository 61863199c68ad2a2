// Which batches of pairs may share a UNet evaluation. A sample must not show the batch that it ran in, but
// the matrix libraries choose a kernel, and with it the order of sums, by the number of rows: of SD 1.5's
// layers in bf16 a third gives a row other last bits beside other rows. Nothing says beforehand which do, so
// each kind of batch is computed once both ways, and compared. Plain data; one thread at a time.
#pragma once

#include <cstdint>
#include <set>
#include <tuple>

#include "common/pipeline/pair_rows.h"

namespace ip2p {

class BatchTrials {
 public:
  // All that the sizes in an evaluation depend on.
  struct Kind {
    int64_t side = 0;    // of the latents
    int64_t pairs = 0;   // more than one
    int64_t shared = 0;  // of them with shared maps
    PairPhase phase = PairPhase::kTwo;
    auto Key() const { return std::tuple(side, pairs, shared, phase); }
  };

  bool Differs(const Kind& kind) const { return differing_sides_.contains(kind.side); }
  bool Proven(const Kind& kind) const { return equal_.contains(kind.Key()); }
  // What a trial found. One kind that differs ends the trials for its side: others will, too.
  void Learn(const Kind& kind, bool equal) {
    if (equal) {
      equal_.insert(kind.Key());
    } else {
      differing_sides_.insert(kind.side);
    }
  }

 private:
  std::set<std::tuple<int64_t, int64_t, int64_t, PairPhase>> equal_;
  std::set<int64_t> differing_sides_;
};

}  // namespace ip2p
