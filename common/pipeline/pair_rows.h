// The rows of one UNet evaluation of a batch of pairs. Pure, no torch.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace ip2p {

// Which texts a row is conditioned on, as rows of [empty, caption, edited caption].
enum PairText : int64_t { kEmptyText = 0, kFirstCaption = 1 };  // image i has caption kFirstCaption + i

// The four predictions that a pair needs, in the reference's order.
enum PairBranch { kUncond0, kUncond1, kCond0, kCond1 };

struct PairRow {
  int64_t pair = 0;
  int64_t image = 0;
  int64_t text = kEmptyText;
};

// How far apart the two images of a pair are; all pairs of a batch stand at the same step.
enum class PairPhase {
  kOne,      // they take this step as one, by the first caption
  kParting,  // equal latents, captions of their own from here on
  kTwo,
  kSecond,  // the first image is known: its rows are only computed for the maps that the second borrows
};

struct PairRows {
  std::vector<PairRow> rows;
  int64_t borrowers = 0;                       // as in AttentionControl
  std::vector<std::array<int64_t, 4>> row_of;  // [pair][PairBranch]
};

// shares[p]: image 1 of pair p uses image 0's self-attention maps. Order: image 0 of the pairs that share,
// then all rows of those that do not, then image 1 of those that share. Where latents are equal, one
// unconditional row serves both images; where they are one, one conditional row does, too, and nothing is
// borrowed. In kSecond, row_of of an image 0 without rows is image 1's.
PairRows PlanPairRows(const std::vector<bool>& shares, PairPhase phase);

}  // namespace ip2p
