// What every server's settings have in common, read once for all of them. Faults are appended as texts for
// the operator, one each. For the main thread at start.
#pragma once

#include <string>
#include <vector>

#include "common/base/settings.h"

namespace ip2p {

// Loads `settings`. False when --help or --version was asked for, whose text is then printed: nothing is to
// run. `version` is "NAME VERSION".
bool LoadOrPrint(Settings& settings, const std::vector<std::string>& args,
                 const Settings::Environment& environment, const char* version,
                 std::vector<std::string>& faults);

// Sets the log level by its name.
void ReadLogLevel(const std::string& name, std::vector<std::string>& faults);

// Certificate and key come together, and roots for callers only with them.
void CheckTlsFiles(const std::string& cert_file, const std::string& key_file,
                   const std::string& client_ca_file, std::vector<std::string>& faults);

}  // namespace ip2p
