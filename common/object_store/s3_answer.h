// What an object store's answer means: which error it is, and whether trying again may help. Pure functions.
#pragma once

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/base/retry_policy.h"
#include "common/http/http_client.h"
#include "common/object_store/checksum.h"
#include "common/object_store/s3_request.h"

namespace ip2p {

struct S3Verdict {
  absl::Status status;  // OK: a success. Else it names the URL, what was found and what is wanted
  FailureKind kind = FailureKind::kFinal;
  std::optional<absl::Duration> retry_after;
  bool keys_expired = false;  // new ones would help
};

// NOT_FOUND (no such bucket or object), PERMISSION_DENIED (keys, rights, clocks apart), FAILED_PRECONDITION
// (another region, a refused certificate), ABORTED (the object is not the one, or not as absent, as the
// request demands), OUT_OF_RANGE, UNIMPLEMENTED (the store knows no such request), INVALID_ARGUMENT,
// CANCELLED; may pass: UNAVAILABLE, DEADLINE_EXCEEDED. No message holds a key or a token, even where the
// store echoes them.
S3Verdict JudgeS3(const S3Request& request, const absl::StatusOr<HttpResponse>& answer,
                  const StoreSettings& settings, const StoreKeys& keys, absl::Time now);

// Of an object's HEAD or whole GET; those of parts, which say nothing of the whole, are left out.
ObjectChecksums ChecksumsOf(const HttpResponse& answer);

// The header in which this system leaves the SHA-256 of what it writes in parts.
inline constexpr char kSha256Header[] = "x-amz-meta-ip2p-sha256";

}  // namespace ip2p
