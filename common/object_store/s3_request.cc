#include "common/object_store/s3_request.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/sha256.h"

namespace ip2p {
namespace {

// A certificate of *.s3.REGION.amazonaws.com stands for one label.
bool IsHostLabel(const std::string& bucket) {
  return std::all_of(bucket.begin(), bucket.end(), [](unsigned char c) {
    return absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '-';
  });
}

}  // namespace

std::string BucketAddress(const StoreSettings& settings, const std::string& bucket) {
  if (!settings.endpoint.empty()) return absl::StrCat(settings.endpoint, "/", UriEncode(bucket, false));
  const std::string host = absl::StrCat("s3.", settings.region, ".amazonaws.com",
                                        absl::StartsWith(settings.region, "cn-") ? ".cn" : "");
  return IsHostLabel(bucket) ? absl::StrCat("https://", bucket, ".", host)
                             : absl::StrCat("https://", host, "/", UriEncode(bucket, false));
}

HttpRequest ToHttpRequest(const S3Request& request, const StoreSettings& settings, const StoreKeys& keys) {
  HttpRequest http;
  http.method = request.method;
  http.url = BucketAddress(settings, request.url.bucket);
  const bool of_bucket = request.url.key.empty();
  if (!of_bucket || settings.endpoint.empty())
    absl::StrAppend(&http.url, "/", UriEncode(request.url.key, true));
  char separator = '?';
  for (const auto& [name, value] : request.query) {
    absl::StrAppend(&http.url, std::string(1, separator), UriEncode(name, false), "=",
                    UriEncode(value, false));
    separator = '&';
  }
  http.headers = request.headers;
  http.headers.push_back({"x-amz-content-sha256", Sha256Hex(request.body)});
  if (!keys.session_token.empty()) http.headers.push_back({"x-amz-security-token", keys.session_token});
  http.body = request.body;
  http.signing = {.region = settings.region,
                  .service = "s3",
                  .access_key = keys.access_key,
                  .secret_key = keys.secret_key};
  http.connect_timeout = settings.connect_timeout;
  http.stall_timeout = settings.stall_timeout;
  http.total_timeout = settings.request_timeout;
  http.max_body_bytes = request.max_body_bytes;
  return http;
}

}  // namespace ip2p
