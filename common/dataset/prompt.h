// One accepted training prompt: a line of a prompts file (FORMAT.md). Pure functions.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "common/dataset/usage.h"

namespace ip2p {

struct Prompt {
  std::string caption;
  std::string edit;
  std::string output;  // the caption after the edit
  std::string url;     // empty: unknown

  std::string model;  // that wrote it, as the provider names it; empty: unknown, or written by hand
  Usage usage;        // what this prompt consumed; all 0 when unknown
  friend bool operator==(const Prompt&, const Prompt&) = default;
};

// One JSON object without the newline. Bytes that are not UTF-8 are replaced.
std::string PromptLine(const Prompt& prompt);

// Reads a line of ours or of the published datasets ("input" for "caption"; unknown keys are ignored).
// INVALID_ARGUMENT says which key is missing or of which type.
absl::StatusOr<Prompt> ParsePromptLine(std::string_view line);

}  // namespace ip2p
