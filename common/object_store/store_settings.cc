#include "common/object_store/store_settings.h"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/base/status_macros.h"
#include "common/storage/read_file.h"

namespace ip2p {
namespace {

constexpr size_t kMaxFileBytes = 1 << 20;

using Profile = std::map<std::string, std::string>;

std::string TextOf(const EnvironmentLookup& environment, const char* name) {
  const char* const value = environment(name);
  return value == nullptr ? "" : std::string(absl::StripAsciiWhitespace(value));
}

std::string FirstOf(const EnvironmentLookup& environment, std::initializer_list<const char*> names) {
  for (const char* const name : names) {
    if (std::string text = TextOf(environment, name); !text.empty()) return text;
  }
  return "";
}

// The lines of "[section]" in an INI file; those of services within it are indented and left out.
Profile SectionOf(const std::string& text, const std::string& section) {
  Profile found;
  bool inside = false;
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    const absl::string_view plain = absl::StripAsciiWhitespace(line);
    if (plain.empty() || plain[0] == '#' || plain[0] == ';') continue;
    if (plain[0] == '[') {
      absl::string_view name = plain.substr(1, plain.find(']') - 1);
      absl::ConsumePrefix(&name, "profile ");
      inside = absl::StripAsciiWhitespace(name) == absl::string_view(section);
      continue;
    }
    const size_t equals = plain.find('=');
    const bool indented = line[0] == ' ' || line[0] == '\t';
    if (!inside || indented || equals == absl::string_view::npos) continue;
    found[absl::AsciiStrToLower(absl::StripAsciiWhitespace(plain.substr(0, equals)))] =
        std::string(absl::StripAsciiWhitespace(plain.substr(equals + 1)));
  }
  return found;
}

absl::StatusOr<Profile> ReadProfile(const std::string& path, const char* name, const std::string& section,
                                    bool wanted) {
  if (path.empty()) return Profile{};
  const absl::StatusOr<std::string> text = ReadFile(path, name, kMaxFileBytes);
  if (absl::IsNotFound(text.status()) && !wanted) return Profile{};
  if (!text.ok()) return text.status();
  return SectionOf(*text, section);
}

bool IsRegion(const std::string& text) {
  return !text.empty() && text.size() <= 63 && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return absl::ascii_isalnum(c) || c == '-';
  });
}

// The address with no more than a scheme, a host and a port.
absl::StatusOr<std::string> CheckedEndpoint(std::string url) {
  while (url.ends_with('/')) url.pop_back();
  absl::string_view host = url;
  const bool http = absl::ConsumePrefix(&host, "http://") || absl::ConsumePrefix(&host, "https://");
  const auto fits = [](unsigned char c) {
    return absl::ascii_isgraph(c) && c != '@' && c != '/' && c != '?';
  };
  if (!http || host.empty() || !std::all_of(host.begin(), host.end(), fits)) {
    // A user and a password could stand in it.
    return absl::InvalidArgumentError(
        "AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL is no address; wants http://HOST:PORT or https://HOST");
  }
  return url;
}

absl::Status HalfOfKeys(const char* where) {
  return absl::InvalidArgumentError(
      absl::StrCat(where, " holds half of a key; wants the access key's id and the secret access key, both"));
}

absl::StatusOr<KeySource> KeysFrom(const EnvironmentLookup& environment, const Profile& profile,
                                   const StoreSettings& settings) {
  KeySource source;
  source.keys = {.access_key = TextOf(environment, "AWS_ACCESS_KEY_ID"),
                 .secret_key = TextOf(environment, "AWS_SECRET_ACCESS_KEY"),
                 .session_token = TextOf(environment, "AWS_SESSION_TOKEN")};
  if (source.keys.access_key.empty() != source.keys.secret_key.empty()) {
    return HalfOfKeys("the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY)");
  }
  if (!source.keys.access_key.empty()) return source;
  source.token_file = TextOf(environment, "AWS_WEB_IDENTITY_TOKEN_FILE");
  source.role = TextOf(environment, "AWS_ROLE_ARN");
  if (!source.token_file.empty()) {
    if (source.role.empty()) {
      return absl::InvalidArgumentError(
          "AWS_WEB_IDENTITY_TOKEN_FILE is set and AWS_ROLE_ARN is not; wants both");
    }
    if (const std::string name = TextOf(environment, "AWS_ROLE_SESSION_NAME"); !name.empty()) {
      source.session_name = name;
    }
    source.sts_endpoint = FirstOf(environment, {"AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL"});
    if (source.sts_endpoint.empty()) {
      source.sts_endpoint = absl::StrCat("https://sts.", settings.region, ".amazonaws.com");
    }
    IP2P_ASSIGN_OR_RETURN(source.sts_endpoint, CheckedEndpoint(source.sts_endpoint));
    return source;
  }
  const auto of = [&profile](const char* name) {
    const auto found = profile.find(name);
    return found == profile.end() ? std::string() : found->second;
  };
  source.keys = {.access_key = of("aws_access_key_id"),
                 .secret_key = of("aws_secret_access_key"),
                 .session_token = of("aws_session_token")};
  if (source.keys.access_key.empty() != source.keys.secret_key.empty()) {
    return HalfOfKeys("the file of shared credentials");
  }
  return source;
}

}  // namespace

EnvironmentLookup ProcessEnvironment() {
  return [](const char* name) -> const char* { return std::getenv(name); };
}

absl::StatusOr<StoreSettings> StoreSettingsFrom(const EnvironmentLookup& environment) {
  const std::string home = TextOf(environment, "HOME");
  const std::string named = TextOf(environment, "AWS_PROFILE");
  const std::string section = named.empty() ? "default" : named;
  const auto path = [&](const char* variable, const char* below_home) {
    const std::string text = TextOf(environment, variable);
    return !text.empty() || home.empty() ? text : absl::StrCat(home, below_home);
  };
  IP2P_ASSIGN_OR_RETURN(Profile profile, ReadProfile(path("AWS_CONFIG_FILE", "/.aws/config"),
                                                     "AWS_CONFIG_FILE", section, /*wanted=*/false));
  IP2P_ASSIGN_OR_RETURN(
      const Profile credentials,
      ReadProfile(path("AWS_SHARED_CREDENTIALS_FILE", "/.aws/credentials"), "AWS_SHARED_CREDENTIALS_FILE",
                  section, !TextOf(environment, "AWS_SHARED_CREDENTIALS_FILE").empty()));
  for (const auto& [name, value] : credentials) profile[name] = value;

  StoreSettings settings;
  settings.endpoint = FirstOf(environment, {"AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"});
  if (settings.endpoint.empty()) settings.endpoint = profile["endpoint_url"];
  if (!settings.endpoint.empty()) {
    IP2P_ASSIGN_OR_RETURN(settings.endpoint, CheckedEndpoint(settings.endpoint));
  }
  std::string region = FirstOf(environment, {"AWS_REGION", "AWS_DEFAULT_REGION"});
  if (region.empty()) region = profile["region"];
  if (!region.empty()) settings.region = region;
  if (!IsRegion(settings.region)) {
    return absl::InvalidArgumentError("AWS_REGION is no region's name; wants one such as eu-central-1");
  }
  settings.ca_file = TextOf(environment, "AWS_CA_BUNDLE");
  IP2P_ASSIGN_OR_RETURN(settings.keys, KeysFrom(environment, profile, settings));
  return settings;
}

}  // namespace ip2p
