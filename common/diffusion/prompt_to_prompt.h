// Prompt-to-Prompt's schedule, as Brooks et al. use it (arXiv 2211.09800, section 3.1.2), and common steps
// before it. Pure, no torch.
#pragma once

namespace ip2p {

// Whether step `step` (from 0) of `steps` gives the second image the first one's self-attention maps: for the
// first share p2p_threshold of the way. A run of one step shares when there is anything to share (the
// reference divides by zero there).
inline bool SharesMaps(double p2p_threshold, int step, int steps) {
  if (steps == 1) return p2p_threshold > 0;
  return p2p_threshold > static_cast<double>(step) / (steps - 1);
}

// Whether both images take step `step` (from 0) of `steps` by the first caption, as one: the first share
// common_steps of the way.
inline bool TakesCommonStep(double common_steps, int step, int steps) { return step < common_steps * steps; }

}  // namespace ip2p
