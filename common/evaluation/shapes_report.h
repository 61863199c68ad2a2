// The miniature's figures as a table, as JSON, as the paper's curve and as contact sheets. Pure but for the
// writing.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/dataset/run_file.h"
#include "common/evaluation/shapes_profile.h"
#include "common/plot/chart.h"

namespace ip2p {

// A line a measured figure: name, share or dB, hits of cases, and what the project promises of it.
std::string ShapesText(const ShapesFigures& figures);
// An object with `settings`, a key a measured figure ({"share", "hits", "cases"}) and `curve`.
std::string ShapesJson(const ShapesFigures& figures, const RunSettings& settings);
// What is kept against what is changed, over each of both guidances.
std::vector<Panel> ShapesPanels(const ShapesFigures& figures);

// figures.json, captions.png and edits.png (contact sheets), and where there is a curve, curve.svg and
// curve.png, in `folder`, which is made when there is none.
absl::Status WriteShapes(const ShapesFigures& figures, const RunSettings& settings,
                         const std::string& folder);

}  // namespace ip2p
