// A prepared file for fine-tuning, checked before it is paid for. Pure functions.
#pragma once

#include <string_view>

#include "absl/status/status.h"

namespace ip2p {

inline constexpr size_t kMaxTrainingBytes = 20'000'000;
inline constexpr int kMinTrainingLines = 10;  // the provider's

enum class TrainingShape { kCompletion, kChat };

// Chat models train on messages, the old base models on completions.
TrainingShape ShapeFor(std::string_view base_model);

// INVALID_ARGUMENT names the first line at fault: "line 3 of the training file: ...". Completion lines are
// {"prompt", "completion"} with the reference's delimiters, chat lines {"messages"} that end with the
// assistant.
absl::Status CheckTrainingFile(std::string_view contents, TrainingShape shape, std::string_view name);

}  // namespace ip2p
