// run.json of a dataset (FORMAT.md): the settings that every partition and every resumed run must share,
// since each pair follows from them.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/json.h"

namespace ip2p {

// Settings by name, scalars only: {"steps": 100, "prompts_sha256": "...", "weights": "...", "precision":
// "bf16"}.
using RunSettings = nlohmann::ordered_json;

// FAILED_PRECONDITION names each setting that differs or that only one of the two has: "WHAT was made with
// steps 100, precision "bf16"; wants steps 50, precision "fp32"".
absl::Status CompareSettings(std::string_view what, const RunSettings& found, const RunSettings& wanted);

// The same of the settings that are known already; what only the dataset has is no difference.
absl::Status CompareKnownSettings(const RunSettings& found, const RunSettings& known);
// The bytes of run.json.
std::string RunFileText(const RunSettings& settings);

// Writes run.json when there is none, else compares. FAILED_PRECONDITION names each setting that differs:
// "the dataset was made with steps 100 and precision bf16; wants steps 50 and precision fp32", or says that
// the folder holds prompts and no run.json. `temporary` is a name in the dataset that no other process writes
// to, and that its owner's next start removes.
absl::Status AgreeOnRun(const std::string& dataset, const RunSettings& settings,
                        const std::string& temporary);

// The comparison alone, of the settings that are known already; OK when there is no run.json.
// FAILED_PRECONDITION as above.
absl::Status CheckRun(const std::string& dataset, const RunSettings& known);

// NOT_FOUND: none. DATA_LOSS: it is no object.
absl::StatusOr<RunSettings> ReadRunFile(const std::string& dataset);
absl::StatusOr<RunSettings> ParseRunFile(std::string_view text);
// In the place of the one that is there: after a refilter, whose thresholds are others.
absl::Status ReplaceRunFile(const std::string& dataset, const RunSettings& settings);

}  // namespace ip2p
