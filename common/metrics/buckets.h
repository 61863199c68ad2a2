// The bounds of all histograms, in one place, so that dashboards can rely on them. Seconds, unless said
// otherwise.
#pragma once

#include <vector>

namespace ip2p {

// Requests, stages, queues: 5 ms to 10 minutes.
inline std::vector<double> DurationBuckets() {
  return {0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300, 600};
}

// One evaluation of a network: 2 ms (a miniature) to a minute (a full model on a small CPU).
inline std::vector<double> StepBuckets() {
  return {0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 60};
}

// Items in a batch; count.
inline std::vector<double> BatchBuckets() { return {1, 2, 3, 4, 6, 8, 12, 16, 24, 32}; }

}  // namespace ip2p
