// Flags of an edit model in this process, for every command that loads one.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "services/cli/edit_task.h"

namespace ip2p {

struct ModelFlags {
  LocalModel model;
  std::string precision = "auto";
  std::string prediction;  // "", "epsilon", "v"
};

// --ckpt, --vae-ckpt, --precision, --prediction, --device, --threads. Words are checked while they are
// parsed. Returns --ckpt.
CLI::Option* AddModelFlags(CLI::App& app, ModelFlags& flags, const char* group);

// What the words mean, into flags.model. INVALID_ARGUMENT.
absl::Status FinishModelFlags(ModelFlags& flags);

}  // namespace ip2p
