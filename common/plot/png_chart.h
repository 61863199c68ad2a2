// A chart as a PNG picture, two dots a px of the SVG that svg_chart.h makes of it. Pure functions; the same
// chart is the same bytes.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/plot/chart.h"

namespace ip2p {

// Panels in rows of `columns`, which is at least 1. INVALID_ARGUMENT: no panel.
absl::StatusOr<std::string> PngOf(const std::vector<Panel>& panels, int columns);

}  // namespace ip2p
