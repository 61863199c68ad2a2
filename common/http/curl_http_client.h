// HttpClient on libcurl's multi interface. Connections are kept and reused; over TLS HTTP/2 carries many
// requests on one. Certificates are verified; redirects are not followed; only http and https; cookies,
// .netrc and the credentials of a proxy's URL are not used.
//
// One thread, that of its loop. Costs: one easy handle a request in flight, reused afterwards.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/http/event_loop.h"
#include "common/http/http_client.h"

namespace ip2p {

struct CurlHttpOptions {
  int max_connections = 1024;  // kept or in use
  std::string ca_file;         // PEM, in place of the system's authorities; empty: the system's
  std::string user_agent = "ip2p";
};

class CurlHttpClient final : public HttpClient {
 public:
  // The loop must outlive the client, and the client its requests. One client a loop.
  explicit CurlHttpClient(EventLoop* loop, CurlHttpOptions options = {});
  ~CurlHttpClient() override;

  Task<absl::StatusOr<HttpResponse>> Send(HttpRequest request, CancelToken* cancel) override;

 private:
  struct Transfer;

  void* Prepare(Transfer& transfer);  // a CURL* with every option set
  void OnTransfers();

  EventLoop* const loop_;
  const CurlHttpOptions options_;
  const std::string no_proxy_;
  std::vector<void*> idle_;  // CURL* of former requests
};

}  // namespace ip2p
