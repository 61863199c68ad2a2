// From examples that people wrote to the file that a provider trains on: the reference's completion format,
// or chats with the strict JSON answer. Pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "common/prompts/training_file.h"

namespace ip2p {

struct PreparedExamples {
  std::string text;  // JSONL
  int64_t examples = 0;
  std::vector<std::string> warnings;  // what is allowed and yet looks wrong
};

// `examples` is JSONL with the keys input (or caption), edit and output. INVALID_ARGUMENT lists the first
// twenty faults by line: what is no example, an output equal to its input, duplicates, texts over 1000 bytes,
// control characters, and delimiters of the completion format inside of a text.
absl::StatusOr<PreparedExamples> PrepareExamples(std::string_view examples, TrainingShape shape);

}  // namespace ip2p
