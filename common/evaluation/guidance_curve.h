// Means over an evaluation's samples at each guidance: the points of the paper's curve. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "common/evaluation/figures.h"
#include "common/evaluation/sample_record.h"

namespace ip2p {

struct CurvePoint {
  Guidance guidance;
  std::array<Mean, kMetricNames.size()> means;  // by Metric
  std::optional<double> Of(Metric metric) const { return means[static_cast<size_t>(metric)].value(); }
};

struct GuidanceCurve {
  std::vector<CurvePoint> points;  // in the order of the guidances
  int64_t samples = 0;             // that were edited
  int64_t left_out = 0;            // damaged ones
};

// Adds in the samples' order, so that equal records give equal bits. Every record has the guidances' edits.
GuidanceCurve CurveOf(const std::vector<Guidance>& guidances, std::span<const SampleRecord> records);

}  // namespace ip2p
