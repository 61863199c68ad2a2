// CLI11 has settings files of its own, but they win over variables; here a file's values are only defaults.
#include "services/cli/settings_file.h"

#include <cstdlib>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "common/base/json.h"
#include "common/base/status_macros.h"
#include "services/cli/files.h"

namespace ip2p {
namespace {

constexpr size_t kMaxSettingsBytes = 1 << 20;

bool IsAskedOnce(const std::string& name) {
  static const std::set<std::string> kNames = {
      "",     "help", "version", "config", "edit", "captions",   "captions-file", "out",        "run-name",
      "json", "plot", "output",  "input",  "name", "checkpoint", "mask",          "mask-output"};
  return kNames.contains(name);
}

std::string LongName(const CLI::Option& option) {
  return option.get_lnames().empty() ? std::string() : option.get_lnames().front();
}

std::string TextOf(const nlohmann::json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

void ApplyObject(CLI::App& app, const nlohmann::json& object, const std::string& where,
                 std::vector<std::string>& faults) {
  for (const auto& [key, value] : object.items()) {
    const std::string name = where.empty() ? key : absl::StrCat(where, ".", key);
    if (value.is_object()) {
      const auto commands =
          app.get_subcommands([&key = key](const CLI::App* command) { return command->check_name(key); });
      if (!commands.empty()) {
        ApplyObject(*commands.front(), value, name, faults);
        continue;
      }
    }
    CLI::Option* option = app.get_option_no_throw("--" + key);
    if (option == nullptr || IsAskedOnce(key) || value.is_structured() || value.is_null()) {
      faults.push_back(absl::StrCat(name, " is in the settings file; wants a flag's name and a plain value"));
      continue;
    }
    try {
      option->default_val(TextOf(value));
      option->required(false);
    } catch (const CLI::Error& error) {
      faults.push_back(absl::StrCat(name, " in the settings file: ", error.what()));
    }
  }
}

}  // namespace

void NameVariables(CLI::App& app) {
  for (CLI::Option* option : app.get_options()) {
    const std::string name = LongName(*option);
    if (IsAskedOnce(name)) continue;
    option->envname(absl::StrCat("IP2P_", absl::AsciiStrToUpper(absl::StrReplaceAll(name, {{"-", "_"}}))));
  }
  for (CLI::App* command : app.get_subcommands({})) NameVariables(*command);
}

std::string SettingsFileOf(const std::vector<std::string>& args) {
  const std::string kFlag = "--config";
  for (size_t i = 0; i < args.size(); ++i) {
    if (args[i] == kFlag && i + 1 < args.size()) return args[i + 1];
    if (args[i].starts_with(kFlag + "=")) return args[i].substr(kFlag.size() + 1);
  }
  const char* variable = std::getenv("IP2P_CONFIG");
  return variable == nullptr ? "" : variable;
}

absl::Status ApplySettingsFile(CLI::App& app, const std::string& path) {
  if (path.empty()) return absl::OkStatus();
  IP2P_ASSIGN_OR_RETURN(const std::string text, ReadWholeFile(path, kMaxSettingsBytes));
  const nlohmann::json settings = nlohmann::json::parse(text, nullptr, false);
  if (!settings.is_object()) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, " is not a JSON object; wants {\"edit\": {\"steps\": 20}}"));
  }
  std::vector<std::string> faults;
  ApplyObject(app, settings, "", faults);
  if (!faults.empty()) return absl::InvalidArgumentError(absl::StrJoin(faults, "\n"));
  return absl::OkStatus();
}

}  // namespace ip2p
