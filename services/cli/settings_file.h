// Settings under the flags: a JSON file, and IP2P_* variables over it.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace ip2p {

// Gives every flag of every command its variable: --vae-ckpt reads IP2P_VAE_CKPT. Not those that make sense
// only once (help, the instruction, the files).
void NameVariables(CLI::App& app);

// Where the file is: --config FILE or --config=FILE among the arguments, else IP2P_CONFIG, else "".
std::string SettingsFileOf(const std::vector<std::string>& args);

// Makes the file's values the flags' defaults; "" does nothing. The file is an object with one object a
// command, nested as the commands are: {"edit": {"steps": 20}, "server": {"models": {"server":
// "host:50051"}}}. INVALID_ARGUMENT lists every key that no flag has and every value that its flag refuses.
// NOT_FOUND.
absl::Status ApplySettingsFile(CLI::App& app, const std::string& path);

}  // namespace ip2p
