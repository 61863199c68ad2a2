// A chart as one SVG document. Pure functions; the same chart is the same bytes.
#pragma once

#include <string>
#include <vector>

#include "common/plot/chart.h"

namespace ip2p {

// Panels in rows of `columns`, which is at least 1.
std::string SvgOf(const std::vector<Panel>& panels, int columns);

}  // namespace ip2p
