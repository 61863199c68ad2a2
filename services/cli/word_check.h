// Words of closed sets as CLI11 checks, from the parsers that the rest of the system has.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace ip2p {

// Empty when `parse` takes the word, else what it says.
template <typename T>
CLI::Validator ParsesAs(absl::StatusOr<T> (*parse)(std::string_view)) {
  return CLI::Validator(
      [parse](std::string& word) {
        const absl::StatusOr<T> parsed = parse(word);
        return parsed.ok() ? std::string() : std::string(parsed.status().message());
      },
      "");
}

}  // namespace ip2p
