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

// Cosines; those of CLIP's filter are decided between 0.1 and 0.9.
inline std::vector<double> CosineBuckets() {
  return {-0.1, 0,   0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4,
          0.5,  0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95};
}

}  // namespace ip2p
