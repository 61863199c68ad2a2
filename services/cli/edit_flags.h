// The flags of `ip2p edit`, with the reference's names and defaults.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "services/cli/edit_task.h"
#include "services/cli/model_flags.h"

namespace ip2p {

struct EditFlags {
  std::string input;
  std::string output;
  EditParams params;
  int64_t seed = -1;  // -1: drawn at random
  std::string sampler = "euler_a";
  std::string schedule = "default";
  std::string format;  // "": by the output's extension
  int quality = 95;
  bool lossless = false;
  bool no_parameters = false;
  double timeout_s = 0;     // 0: none
  std::string mask;         // a file
  std::string auto_mask;    // a threshold; "true": the default one; "": not asked for
  std::string mask_output;  // where to; "": nowhere
  std::string preview_dir;
  int preview_every = 10;
  bool json = false;
  ModelFlags local;
  bool miniature = false;  // no model is named: it is the miniature
  std::string server_model;
  ServerFlags server;
};

void AddEditFlags(CLI::App& app, EditFlags& flags);

// The flags as a task, without the photo. Draws the seed. Errors: INVALID_ARGUMENT (the output's format
// cannot be told; no model is named and the miniature is not here; masks that contradict each other or the
// output's format).
absl::StatusOr<EditTask> TaskFromFlags(EditFlags& flags);

}  // namespace ip2p
