// What a training job is asked to do, from a JSON file and from flags, which win. Values are judged by the
// coordinator, which lists all faults; words by the parser.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <istream>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "ip2p/training/v1/job.pb.h"

namespace ip2p {

struct SpecFlags {
  std::string file;
  // Each writes one flag into the spec, when it was given.
  std::vector<std::function<void(training::v1::JobSpec&)>> setters;
};

// --spec, and a flag for each field of JobSpec under the field's name.
void AddSpecFlags(CLI::App& command, SpecFlags& flags);

// INVALID_ARGUMENT: the file is no JobSpec; errors of files.h.
absl::StatusOr<training::v1::JobSpec> ReadSpec(const SpecFlags& flags, std::istream& in);

}  // namespace ip2p
