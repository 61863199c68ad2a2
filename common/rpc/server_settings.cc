#include "common/rpc/server_settings.h"

#include <cstdio>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/log.h"

namespace ip2p {

bool LoadOrPrint(Settings& settings, const std::vector<std::string>& args,
                 const Settings::Environment& environment, const char* version,
                 std::vector<std::string>& faults) {
  const std::string help = settings.Help();  // with the defaults, before they are overwritten
  const absl::StatusOr<Settings::Outcome> outcome = settings.Load(args, environment);
  if (!outcome.ok()) {
    faults.push_back(std::string(outcome.status().message()));
    return true;
  }
  if (*outcome == Settings::Outcome::kHelp) std::fputs(help.c_str(), stdout);
  if (*outcome == Settings::Outcome::kVersion) std::puts(version);
  return *outcome != Settings::Outcome::kHelp && *outcome != Settings::Outcome::kVersion;
}

void ReadLogLevel(const std::string& name, std::vector<std::string>& faults) {
  const std::pair<const char*, LogLevel> levels[] = {{"debug", LogLevel::kDebug},
                                                     {"info", LogLevel::kInfo},
                                                     {"warning", LogLevel::kWarning},
                                                     {"error", LogLevel::kError}};
  for (const auto& [known, level] : levels) {
    if (name == known) return SetLogLevel(level);
  }
  faults.push_back(absl::StrCat("log_level is \"", name, "\"; wants debug, info, warning or error"));
}

void CheckTlsFiles(const std::string& cert_file, const std::string& key_file,
                   const std::string& client_ca_file, std::vector<std::string>& faults) {
  if (cert_file.empty() != key_file.empty()) {
    faults.push_back("TLS is half configured; wants both tls_cert_file and tls_key_file");
  }
  if (!client_ca_file.empty() && cert_file.empty()) {
    faults.push_back("tls_client_ca_file is set without tls_cert_file; wants both");
  }
}

}  // namespace ip2p
