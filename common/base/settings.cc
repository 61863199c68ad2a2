// Every place yields texts by name; each setting then takes its last one. Faults are gathered, never thrown.
#include "common/base/settings.h"

#include <cstdlib>
#include <fstream>
#include <optional>
#include <sstream>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/base/json.h"

namespace ip2p {
namespace {

constexpr char kOk[] = "";

std::string VariableName(absl::string_view name) {
  return absl::StrCat("IP2P_", absl::AsciiStrToUpper(name));
}
std::string FlagName(absl::string_view name) {
  return absl::StrCat("--", absl::StrReplaceAll(name, {{"_", "-"}}));
}

// A JSON scalar as the text that a flag would have.
std::optional<std::string> ScalarText(const nlohmann::json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number() || value.is_boolean()) return value.dump();
  return std::nullopt;
}

}  // namespace

void Settings::Add(const char* name, std::string* value, const char* help) {
  entries_.push_back({name, help, *value, false, false, [value](const std::vector<std::string>& texts) {
                        *value = texts.back();
                        return std::string(kOk);
                      }});
}

void Settings::Add(const char* name, int* value, int low, int high, const char* help) {
  auto set = [value, low, high](const std::vector<std::string>& texts) {
    int parsed = 0;
    if (!absl::SimpleAtoi(texts.back(), &parsed) || parsed < low || parsed > high) {
      return absl::StrFormat("a whole number in %d..%d", low, high);
    }
    *value = parsed;
    return std::string(kOk);
  };
  entries_.push_back({name, help, absl::StrCat(*value), false, false, set});
}

void Settings::Add(const char* name, double* value, double low, double high, const char* help) {
  auto set = [value, low, high](const std::vector<std::string>& texts) {
    double parsed = 0;
    if (!absl::SimpleAtod(texts.back(), &parsed) || !(parsed >= low && parsed <= high)) {
      return absl::StrFormat("a number in %g..%g", low, high);
    }
    *value = parsed;
    return std::string(kOk);
  };
  entries_.push_back({name, help, absl::StrCat(*value), false, false, set});
}

void Settings::Add(const char* name, bool* value, const char* help) {
  auto set = [value](const std::vector<std::string>& texts) {
    return absl::SimpleAtob(texts.back(), value) ? std::string(kOk) : std::string("true or false");
  };
  entries_.push_back({name, help, *value ? "true" : "false", false, true, set});
}

void Settings::Add(const char* name, std::vector<std::string>* values, const char* help) {
  auto set = [values](const std::vector<std::string>& texts) {
    *values = texts;
    return std::string(kOk);
  };
  entries_.push_back({name, help, absl::StrJoin(*values, ","), true, false, set});
}

const Settings::Entry* Settings::Find(absl::string_view name) const {
  for (const Entry& entry : entries_) {
    if (entry.name == name) return &entry;
  }
  return nullptr;
}

void Settings::ReadFile(const std::string& path, std::vector<Given>& given,
                        std::vector<std::string>& faults) const {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  const auto json = nlohmann::json::parse(text.str(), nullptr, /*allow_exceptions=*/false);
  if (!file || !json.is_object()) {
    faults.push_back(absl::StrCat("config is \"", path, "\"; wants a readable file with one JSON object"));
    return;
  }
  for (const auto& [name, value] : json.items()) {
    const Entry* entry = Find(name);
    if (entry == nullptr) {
      faults.push_back(absl::StrCat("\"", name, "\" in the config file is unknown"));
      continue;
    }
    std::vector<std::string> texts;
    bool good = true;
    for (const auto& item : value.is_array() && entry->repeated ? value : nlohmann::json::array({value})) {
      const std::optional<std::string> scalar = ScalarText(item);
      good = good && scalar.has_value();
      texts.push_back(scalar.value_or(""));
    }
    if (good) {
      given[entry - entries_.data()] = {std::move(texts), "the config file"};
    } else {
      faults.push_back(absl::StrCat("\"", name, "\" in the config file is a JSON ", value.type_name(),
                                    "; wants a text, number or boolean"));
    }
  }
}

Settings::Outcome Settings::ReadFlags(const std::vector<std::string>& args, std::vector<Given>& given,
                                      Given& config, std::vector<std::string>& faults) const {
  Outcome outcome = Outcome::kRun;
  for (size_t i = 0; i < args.size(); ++i) {
    if (args[i] == "--help" || args[i] == "-h") {
      outcome = Outcome::kHelp;
      continue;
    }
    if (args[i] == "--version") {
      outcome = Outcome::kVersion;
      continue;
    }
    const std::pair<std::string, std::optional<std::string>> flag = [&] {
      const size_t equals = args[i].find('=');
      if (equals == std::string::npos) return std::pair(args[i], std::optional<std::string>());
      return std::pair(args[i].substr(0, equals), std::optional(args[i].substr(equals + 1)));
    }();
    const bool is_config = flag.first == "--config";
    const Entry* entry = nullptr;
    for (const Entry& known : entries_) {
      if (FlagName(known.name) == flag.first) entry = &known;
    }
    if (entry == nullptr && !is_config) {
      faults.push_back(absl::StrCat("\"", flag.first, "\" is unknown; see --help"));
      continue;
    }
    std::string text = "true";
    if (flag.second) {
      text = *flag.second;
    } else if (is_config || !entry->is_switch) {
      if (i + 1 == args.size()) {
        faults.push_back(absl::StrCat(flag.first, " has no value"));
        continue;
      }
      text = args[++i];
    }
    Given& slot = is_config ? config : given[entry - entries_.data()];
    if (is_config || !entry->repeated || slot.from != flag.first) slot = {{}, flag.first};
    slot.texts.push_back(text);
  }
  return outcome;
}

absl::StatusOr<Settings::Outcome> Settings::Load(const std::vector<std::string>& args,
                                                 const Environment& environment) {
  std::vector<std::string> faults;
  std::vector<Given> from_file(entries_.size()), from_flags(entries_.size());
  Given config;
  const Outcome outcome = ReadFlags(args, from_flags, config, faults);
  if (outcome != Outcome::kRun) return outcome;
  if (config.texts.empty()) {
    if (const char* path = environment("IP2P_CONFIG"); path != nullptr && *path != '\0')
      config.texts = {path};
  }
  if (!config.texts.empty()) ReadFile(config.texts.back(), from_file, faults);

  for (size_t i = 0; i < entries_.size(); ++i) {
    const Entry& entry = entries_[i];
    Given chosen = std::move(from_flags[i]);
    if (chosen.texts.empty()) {
      const std::string variable = VariableName(entry.name);
      if (const char* text = environment(variable.c_str()); text != nullptr && *text != '\0') {
        chosen.from = variable;
        chosen.texts = entry.repeated ? absl::StrSplit(text, ',') : std::vector<std::string>{text};
      }
    }
    if (chosen.texts.empty()) chosen = std::move(from_file[i]);
    if (chosen.texts.empty()) continue;
    if (const std::string wanted = entry.set(chosen.texts); !wanted.empty()) {
      faults.push_back(absl::StrCat(entry.name, " (from ", chosen.from, ") is \"", chosen.texts.back(),
                                    "\"; wants ", wanted));
    }
  }
  if (!faults.empty()) return absl::InvalidArgumentError(absl::StrJoin(faults, "\n"));
  return Outcome::kRun;
}

absl::StatusOr<Settings::Outcome> Settings::Load(int argc, const char* const* argv) {
  return Load(std::vector<std::string>(argv + 1, argv + argc),
              [](const char* name) { return std::getenv(name); });
}

std::string Settings::Help() const {
  std::string text = absl::StrCat(about_, "\n\n");
  for (const Entry& entry : entries_) {
    absl::StrAppend(
        &text, absl::StrFormat(
                   "  %-24s %s%s\n", FlagName(entry.name), entry.help,
                   entry.shown_default.empty() ? "" : absl::StrCat(" (default ", entry.shown_default, ")")));
  }
  absl::StrAppend(&text,
                  "  --config                 JSON file of the same settings, as {\"log_level\": \"debug\"}\n"
                  "  --help, --version\n\n"
                  "Each can be set by a variable too: --log-level is IP2P_LOG_LEVEL. Flag over variable over "
                  "file.\n");
  return text;
}

}  // namespace ip2p
