// Prompt-to-Prompt's hold on the self-attention of one UNet evaluation (Hertz et al., arXiv 2208.01626): some
// rows of the batch take the maps of others. Plain data.
#pragma once

#include <cstdint>

namespace ip2p {

struct AttentionControl {
  // The last `borrowers` rows use the self-attention maps of the first `borrowers` rows, whatever stands in
  // between has its own. At most half of the rows.
  int64_t borrowers = 0;
  // False: the borrowers' own queries and keys are computed too, and every row's scores, as if nothing were
  // known about the replacement. The result is the same; for measuring what sharing saves.
  bool reuse = true;
};

}  // namespace ip2p
