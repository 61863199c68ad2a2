// The verbs of `ip2p dataset`, one function each: adds its flags to the noun. Refilter has a header of its
// own.
#pragma once

#include <CLI/CLI.hpp>

#include "services/cli/commands.h"
#include "services/cli/console.h"

namespace ip2p {

void AddDatasetPrepare(CLI::App& noun, Console& console, Chosen& chosen);
void AddDatasetStats(CLI::App& noun, Console& console, Chosen& chosen);
void AddDatasetCheck(CLI::App& noun, Console& console, Chosen& chosen);
void AddDatasetPack(CLI::App& noun, Console& console, Chosen& chosen);
void AddDatasetUnpack(CLI::App& noun, Console& console, Chosen& chosen);
void AddDatasetImport(CLI::App& noun, Console& console, Chosen& chosen);
void AddDatasetMerge(CLI::App& noun, Console& console, Chosen& chosen);
void AddDatasetExport(CLI::App& noun, Console& console, Chosen& chosen);

}  // namespace ip2p
