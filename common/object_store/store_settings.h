// Where objects are and who asks for them, out of the variables and files that the AWS tools read as well.
#pragma once

#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/base/retry_policy.h"

namespace ip2p {

// Null when a variable is not set. Injected by tests.
using EnvironmentLookup = std::function<const char*(const char* name)>;
EnvironmentLookup ProcessEnvironment();

// What signs a request. Never in messages or logs.
struct StoreKeys {
  std::string access_key;
  std::string secret_key;
  std::string session_token;                    // empty: keys that last
  absl::Time expires = absl::InfiniteFuture();  // of temporary ones
};

// Where keys come from: given ones, or a role that a token of the cluster stands for.
struct KeySource {
  StoreKeys keys;  // where no role is named
  std::string token_file;
  std::string role;  // "arn:aws:iam::123456789012:role/pairs"
  std::string session_name = "ip2p";
  std::string sts_endpoint;  // "https://sts.eu-central-1.amazonaws.com"
  bool is_role() const { return !token_file.empty(); }
  bool empty() const { return !is_role() && keys.access_key.empty(); }
};

struct StoreSettings {
  std::string endpoint;  // "http://minio:9000", without a path; empty: AWS's own
  std::string region = "us-east-1";
  std::string ca_file;  // PEM, in place of the system's authorities; empty: the system's
  KeySource keys;

  int64_t part_bytes = 8 << 20;  // of what is longer, transferred in parts; stores want 5 MiB at least
  int parallel = 8;              // requests at once
  absl::Duration connect_timeout = absl::Seconds(10);
  absl::Duration stall_timeout = absl::Seconds(30);   // below 1 byte/s for so long
  absl::Duration request_timeout = absl::Minutes(5);  // one request, of a part at most
  RetryPolicy retry{.max_attempts = 8, .longest_wait = absl::Seconds(20)};
};

// AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL, AWS_REGION or AWS_DEFAULT_REGION, AWS_CA_BUNDLE. Keys, the first
// that is there: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN; AWS_WEB_IDENTITY_TOKEN_FILE
// and AWS_ROLE_ARN; the profile AWS_PROFILE ("default") of AWS_SHARED_CREDENTIALS_FILE (~/.aws/credentials),
// whose region and endpoint_url in AWS_CONFIG_FILE (~/.aws/config) count where no variable does. None of
// them: settings without keys. INVALID_ARGUMENT names the variable that is wrong, never its value when that
// is secret.
absl::StatusOr<StoreSettings> StoreSettingsFrom(const EnvironmentLookup& environment);

}  // namespace ip2p
