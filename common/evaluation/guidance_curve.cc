#include "common/evaluation/guidance_curve.h"

namespace ip2p {

GuidanceCurve CurveOf(const std::vector<Guidance>& guidances, std::span<const SampleRecord> records) {
  GuidanceCurve curve;
  for (const Guidance& guidance : guidances) curve.points.push_back({.guidance = guidance});
  for (const SampleRecord& record : records) {
    if (!record.fault.empty()) {
      ++curve.left_out;
      continue;
    }
    ++curve.samples;
    for (size_t i = 0; i < curve.points.size(); ++i) {
      for (size_t m = 0; m < kMetricNames.size(); ++m)
        curve.points[i].means[m].Add(record.edits[i].figures[m]);
    }
  }
  return curve;
}

}  // namespace ip2p
