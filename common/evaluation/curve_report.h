// An evaluation's curve as a table, as JSON and as a chart (FORMAT.md). Pure; equal curves give equal bytes.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/dataset/run_file.h"
#include "common/evaluation/guidance_curve.h"
#include "common/plot/chart.h"

namespace ip2p {

// A header and a row a guidance; what is unknown is an empty field.
std::string CurveCsv(const GuidanceCurve& curve);
// An object with `settings`, `samples`, `left_out` and `points`; what is unknown is null.
std::string CurveJson(const GuidanceCurve& curve, const RunSettings& settings);
// The paper's curve (x: direction, y: image), then what each image guidance does to the figures against the
// targets.
std::vector<Panel> CurvePanels(const GuidanceCurve& curve);

// curve.csv, curve.json, curve.svg and curve.png in `folder`.
absl::Status WriteCurve(const GuidanceCurve& curve, const RunSettings& settings, const std::string& folder);

}  // namespace ip2p
