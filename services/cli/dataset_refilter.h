// `ip2p dataset refilter`, a verb that can need torch.
#pragma once

#include <CLI/CLI.hpp>

#include "services/cli/commands.h"
#include "services/cli/console.h"

namespace ip2p {

void AddDatasetRefilter(CLI::App& noun, Console& console, Chosen& chosen);

}  // namespace ip2p
