// Requests over HTTP as tasks. The interface, so that what talks to a server can be tested without one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/base/cancel_token.h"
#include "common/base/task.h"

namespace ip2p {

struct HttpHeader {
  std::string name;
  std::string value;
};

// AWS's Signature Version 4, which object stores of other makers speak, too. libcurl 7.88 signs right what
// keeps to four rules, and nothing else: there is a header x-amz-content-sha256; the query is sorted and
// every name in it has its "="; no header is empty; no header's name is another's beginning, up to a "-".
struct AwsSigning {
  std::string region;   // "eu-central-1"
  std::string service;  // "s3"
  std::string access_key;
  std::string secret_key;
};

struct HttpRequest {
  std::string method = "POST";  // GET, HEAD, POST, PUT, DELETE
  std::string url;              // http or https
  std::vector<HttpHeader> headers;
  std::string body;
  std::optional<AwsSigning> signing;  // the path is then sent as it stands, with its dots

  absl::Duration connect_timeout = absl::Seconds(10);
  absl::Duration stall_timeout = absl::Seconds(60);   // below 1 byte/s for so long
  absl::Duration total_timeout = absl::Seconds(120);  // from sending to the last byte
  size_t max_body_bytes = 8 << 20;                    // of the answer, counted as it comes

  // Takes the body of a 2xx answer piece by piece as it comes, for an answer without an end; the response's
  // is then empty and max_body_bytes doesn't count. On the loop's thread; sends nothing itself.
  std::function<void(std::string_view piece)> on_body;
};

struct HttpResponse {
  int status = 0;
  std::vector<HttpHeader> headers;  // names in lower case, the last answer's only
  std::string body;

  // The first header of that (lower-case) name; empty when there is none.
  std::string_view Header(std::string_view name) const;
};

// Whether a failed request surely never reached its server, so that it can have had no effect.
bool WasNeverSent(const absl::Status& status);
// Marks a status so.
absl::Status NeverSent(absl::Status status);

class HttpClient {
 public:
  virtual ~HttpClient() = default;

  // Any answer of a server is OK, whatever its status. Errors, which never carry a header or a body:
  // UNAVAILABLE: no connection, broken off, TLS refused. DEADLINE_EXCEEDED: a time-out. RESOURCE_EXHAUSTED:
  // the body passed max_body_bytes. INVALID_ARGUMENT: the request itself. CANCELLED: `cancel` came (may
  // be null); the connection is closed.
  virtual Task<absl::StatusOr<HttpResponse>> Send(HttpRequest request, CancelToken* cancel) = 0;
};

}  // namespace ip2p
