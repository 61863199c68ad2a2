// What run.json of a dataset says about how its pairs were made (common/dataset/FORMAT.md): PairParams and
// back. Pure functions.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "common/dataset/run_file.h"
#include "common/pipeline/pair_types.h"

namespace ip2p {

// The names of the flags, in the order of PairParams. Seeds are a text, "11,12"; empty: derived.
RunSettings SettingsOf(const PairParams& params);

// Back; INVALID_ARGUMENT says which is missing, of another type, or out of its range.
absl::StatusOr<PairParams> ParamsOf(const RunSettings& settings);

// "11,12" or "11, 12". INVALID_ARGUMENT: seeds is "x"; wants whole numbers in 0..2^64-1, separated by commas.
absl::StatusOr<std::vector<uint64_t>> ParseSeedList(const std::string& text);

// Names of the other settings.
inline constexpr char kPromptsSha256[] = "prompts_sha256";
inline constexpr char kPromptRows[] = "prompt_rows";
inline constexpr char kPhotosSha256[] = "photos_sha256";
inline constexpr char kPhotosShow[] = "photos_show";
inline constexpr char kPrecision[] = "precision";
inline constexpr char kWeights[] = "weights";

}  // namespace ip2p
