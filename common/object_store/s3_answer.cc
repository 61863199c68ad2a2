// Codes are those of S3's reference, "Error responses", with what proxies and other makers' stores send.
#include "common/object_store/s3_answer.h"

#include <set>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/http/retry_after.h"
#include "common/object_store/s3_xml.h"

namespace ip2p {
namespace {

constexpr size_t kMaxQuoted = 200;  // bytes of a store's words
constexpr size_t kLeastSecret = 8;  // shorter ones are of tests, and parts of words

// Damage on the way, or a moment's fault, under codes of the caller's faults.
bool IsPassing(const std::string& code) {
  static const std::set<std::string> kPassing = {"BadDigest",
                                                 "IncompleteBody",
                                                 "InvalidDigest",
                                                 "InternalError",
                                                 "OperationAborted",
                                                 "ConditionalRequestConflict",
                                                 "RequestTimeout",
                                                 "ServiceUnavailable",
                                                 "SlowDown",
                                                 "XAmzContentChecksumMismatch",
                                                 "XAmzContentSHA256Mismatch"};
  return kPassing.contains(code);
}

bool IsExpired(const std::string& code) { return code == "ExpiredToken" || code == "TokenRefreshRequired"; }

// A store's words, fit to be shown: short, one line, without keys.
std::string Quoted(std::string text, const StoreKeys& keys) {
  for (const std::string* secret : {&keys.secret_key, &keys.session_token, &keys.access_key}) {
    if (secret->size() >= kLeastSecret) text = absl::StrReplaceAll(text, {{*secret, "[key]"}});
  }
  for (char& c : text) {
    if (c < ' ' || c > '~') c = '?';
  }
  return text.size() > kMaxQuoted ? text.substr(0, kMaxQuoted) + "..." : text;
}

std::string ClocksText(const HttpResponse& answer, absl::Time now) {
  absl::Time theirs;
  std::string error;
  if (!absl::ParseTime("%a, %d %b %Y %H:%M:%S GMT", std::string(answer.Header("date")), &theirs, &error)) {
    return "; wants clocks that are less than 15 minutes apart";
  }
  return absl::StrCat("; this machine's clock is ",
                      absl::FormatDuration(absl::Trunc(now - theirs, absl::Seconds(1))),
                      " from the store's, wants less than 15m");
}

absl::StatusCode CodeOf(int status, const std::string& code) {
  if (IsExpired(code)) return absl::StatusCode::kPermissionDenied;
  switch (status) {
    case 401:
    case 403:
      return absl::StatusCode::kPermissionDenied;
    case 404:
      return absl::StatusCode::kNotFound;
    case 405:
    case 501:
      return absl::StatusCode::kUnimplemented;
    case 412:
      return absl::StatusCode::kAborted;
    case 416:
      return absl::StatusCode::kOutOfRange;
    default:
      if (status >= 300 && status < 400) return absl::StatusCode::kFailedPrecondition;
      return status >= 400 && status < 500 && status != 408 && status != 409 && status != 429
                 ? absl::StatusCode::kInvalidArgument
                 : absl::StatusCode::kUnavailable;
  }
}

// What to do about it.
std::string Wanted(const HttpResponse& answer, const StoreError& error, const StoreSettings& settings,
                   absl::Time now) {
  const std::string& code = error.code;
  if (code == "RequestTimeTooSkewed") return ClocksText(answer, now);
  if (answer.status == 404) {
    return code == "NoSuchBucket" ? "; wants a bucket that is there" : "; wants an object that is there";
  }
  if (IsExpired(code)) return "; wants keys that have not run out";
  if (answer.status == 403 && code == "SignatureDoesNotMatch")
    return "; wants the secret access key of that id";
  if (answer.status == 401 || answer.status == 403) return "; wants keys that have the right to it";
  if (answer.status == 412) return "; wants it unchanged";
  if (answer.status >= 300 && answer.status < 400) {
    return absl::StrCat("; wants the store's own address as AWS_ENDPOINT_URL_S3, and its region, not ",
                        settings.region, ", as AWS_REGION");
  }
  return "";
}

// The region that the store names where it is another one.
std::string OtherRegion(const HttpResponse& answer, const StoreError& error, const StoreSettings& settings) {
  const bool moved =
      (answer.status >= 300 && answer.status < 400) || error.code == "AuthorizationHeaderMalformed";
  if (!moved) return "";
  const std::string_view told = answer.Header("x-amz-bucket-region");
  const std::string region = told.empty() ? error.region : std::string(told);
  return region == settings.region ? "" : region;
}

S3Verdict JudgeFailure(const S3Request& request, const HttpResponse& answer, const StoreSettings& settings,
                       const StoreKeys& keys, absl::Time now) {
  const StoreError error = ParseStoreError(answer.body);
  std::string text = absl::StrCat(request.url.text(), ": the store answered ", answer.status);
  if (!error.code.empty()) absl::StrAppend(&text, " ", Quoted(error.code, keys));
  if (!error.message.empty()) absl::StrAppend(&text, " (", Quoted(error.message, keys), ")");
  S3Verdict verdict;
  verdict.kind = answer.status == 501 ? FailureKind::kFinal : ClassifyHttpStatus(answer.status, {});
  if (IsPassing(error.code)) verdict.kind = FailureKind::kTransient;
  verdict.retry_after = ParseRetryAfter(answer, now);
  verdict.keys_expired = IsExpired(error.code);
  if (const std::string region = OtherRegion(answer, error, settings); !region.empty()) {
    verdict.kind = FailureKind::kFinal;
    verdict.status =
        absl::FailedPreconditionError(absl::StrCat(text, "; the bucket is in region ", Quoted(region, keys),
                                                   ", wants that as AWS_REGION, which is ", settings.region));
    return verdict;
  }
  const absl::StatusCode code = verdict.kind == FailureKind::kTransient ? absl::StatusCode::kUnavailable
                                                                        : CodeOf(answer.status, error.code);
  verdict.status = absl::Status(code, text + Wanted(answer, error, settings, now));
  return verdict;
}

S3Verdict JudgeTransport(const S3Request& request, const absl::Status& status,
                         const StoreSettings& settings) {
  S3Verdict verdict;
  const bool passing = absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status);
  verdict.kind = passing ? FailureKind::kTransient : FailureKind::kFinal;
  verdict.status = absl::IsCancelled(status)
                       ? absl::CancelledError(absl::StrCat(request.url.text(), ": cancelled"))
                       : absl::Status(status.code(), absl::StrCat(request.url.text(), " at ",
                                                                  BucketAddress(settings, request.url.bucket),
                                                                  ": ", status.message()));
  return verdict;
}

}  // namespace

S3Verdict JudgeS3(const S3Request& request, const absl::StatusOr<HttpResponse>& answer,
                  const StoreSettings& settings, const StoreKeys& keys, absl::Time now) {
  if (!answer.ok()) return JudgeTransport(request, answer.status(), settings);
  if (answer->status < 200 || answer->status >= 300) {
    return JudgeFailure(request, *answer, settings, keys, now);
  }
  // The end of an upload may fail after its "200 OK" was sent.
  if (request.method == "POST" && !ParseStoreError(answer->body).code.empty()) {
    HttpResponse failed = *answer;
    failed.status = 500;
    return JudgeFailure(request, failed, settings, keys, now);
  }
  return {};
}

ObjectChecksums ChecksumsOf(const HttpResponse& answer) {
  // Of an object in parts ("TEXT-N") it may be the checksum of theirs, unless the store says that it is not.
  const bool parts = absl::StrContains(std::string(answer.Header("etag")), "-");
  const bool full = answer.Header("x-amz-checksum-type") == "FULL_OBJECT";
  const auto whole = [&](const char* name) {
    const std::string text(answer.Header(name));
    return absl::StrContains(text, "-") || (parts && !full) ? "" : text;
  };
  ObjectChecksums checksums{.sha256 = std::string(answer.Header(kSha256Header)),
                            .crc32c = whole("x-amz-checksum-crc32c"),
                            .crc32 = whole("x-amz-checksum-crc32"),
                            .crc64nvme = whole("x-amz-checksum-crc64nvme")};
  if (const std::string sha256 = whole("x-amz-checksum-sha256"); !sha256.empty()) {
    std::string bytes;
    // The store's own word is newer than a note that a copy may have carried along.
    if (absl::Base64Unescape(sha256, &bytes)) checksums.sha256 = absl::BytesToHexString(bytes);
  }
  return checksums;
}

}  // namespace ip2p
