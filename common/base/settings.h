// A program's settings from four places, the later over the earlier: defaults, a JSON file, IP2P_* variables,
// flags.
//
// One name serves all: "queue_limit" is "queue_limit" in the file, IP2P_QUEUE_LIMIT in the environment and
// --queue-limit VALUE (or --queue-limit=VALUE) on the command line. --config FILE (or IP2P_CONFIG) names the
// file. Not thread-safe; used once, at the start.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace ip2p {

class Settings {
 public:
  // Looks up an environment variable; null when unset. Injected by tests.
  using Environment = std::function<const char*(const char* name)>;

  enum class Outcome { kRun, kHelp, kVersion };

  explicit Settings(std::string about) : about_(std::move(about)) {}

  // What can be set. `value` holds the default and must outlive Load. Names are [a-z_]+.
  void Add(const char* name, std::string* value, const char* help);
  void Add(const char* name, int* value, int low, int high, const char* help);
  void Add(const char* name, double* value, double low, double high, const char* help);
  void Add(const char* name, bool* value, const char* help);  // flag alone, or =true / =false
  // May be given often; in a variable the values are separated by commas. A later place replaces the whole
  // list.
  void Add(const char* name, std::vector<std::string>* values, const char* help);

  // Sets everything that is given. INVALID_ARGUMENT with all faults in one message, one a line:
  // "queue_limit (from IP2P_QUEUE_LIMIT) is "x"; wants a whole number in 1..10000".
  absl::StatusOr<Outcome> Load(const std::vector<std::string>& args, const Environment& environment);
  absl::StatusOr<Outcome> Load(int argc, const char* const* argv);  // the process's own environment

  std::string Help() const;  // with the defaults, so ask before Load

 private:
  struct Entry {
    const char* name;
    const char* help;
    std::string shown_default;
    bool repeated;
    bool is_switch;
    // Sets the value from texts (one, unless repeated); gives what is wanted when it can't.
    std::function<std::string(const std::vector<std::string>& texts)> set;
  };
  struct Given {
    std::vector<std::string> texts;
    std::string from;
  };

  const Entry* Find(absl::string_view name) const;
  void ReadFile(const std::string& path, std::vector<Given>& given, std::vector<std::string>& faults) const;
  Outcome ReadFlags(const std::vector<std::string>& args, std::vector<Given>& given, Given& config,
                    std::vector<std::string>& faults) const;

  const std::string about_;
  std::vector<Entry> entries_;
};

}  // namespace ip2p
