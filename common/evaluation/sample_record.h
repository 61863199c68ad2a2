// What an evaluation found of one sample: a line of samples.jsonl (FORMAT.md). Pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "common/evaluation/evaluation_options.h"
#include "common/evaluation/figures.h"

namespace ip2p {

struct EditRecord {
  Guidance guidance;
  Figures figures;
  friend bool operator==(const EditRecord&, const EditRecord&) = default;
};

struct SampleRecord {
  int64_t sample = 0;   // 0, 1, ... of the evaluation
  int64_t example = 0;  // which of the split
  int64_t choice = 0;   // which pair of the prompt
  uint32_t seed = 0;    // of the noise, the same at every guidance
  std::vector<EditRecord> edits;
  std::string fault;  // why it was left out; empty: it was not
  friend bool operator==(const SampleRecord&, const SampleRecord&) = default;
};

// One JSON object without the newline. Numbers come back as they were.
std::string SampleLine(const SampleRecord& record);

// INVALID_ARGUMENT says what is missing or of another type.
absl::StatusOr<SampleRecord> ParseSampleLine(std::string_view line);

}  // namespace ip2p
