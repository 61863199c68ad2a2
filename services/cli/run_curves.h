// The curves of a training run, read from its folder (common/training/FORMAT.md), and a chart of several.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/plot/chart.h"
#include "common/plot/curve_trail.h"

namespace ip2p {

// NaN: there is none.
struct ValidationPoint {
  int64_t step = 0;
  double loss = 0;
  double clip_direction = 0;
  double clip_image = 0;
};

struct RunCurves {
  std::string name;  // of the folder
  int64_t step = 0;  // the last one
  CurveTrail loss{1024};
  std::vector<ValidationPoint> validations;  // by step
};

// Of a run that may be going on. NOT_FOUND: no run's folder. FAILED_PRECONDITION: no step yet. DATA_LOSS:
// names the damaged line. Memory is bounded whatever its length.
absl::StatusOr<RunCurves> ReadRunCurves(const std::string& folder);

// Training loss, then of what any run has: validation loss, CLIP similarities. A line a run; of several, each
// with its name. At most kChartColors runs can be told apart.
std::vector<Panel> CurvePanels(const std::vector<RunCurves>& runs);

// {"runs": [{"name", "step", "loss": [[step, mean], ...], "validations": [{"step", "loss", ...}]}]}
std::string CurvesJson(const std::vector<RunCurves>& runs);

}  // namespace ip2p
