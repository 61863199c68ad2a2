#include "services/gateway/scraper.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/http/curl_http_client.h"
#include "common/http/event_loop.h"
#include "services/gateway/prometheus_text.h"

namespace ip2p::gateway {
namespace {

constexpr absl::Duration kFresh = absl::Seconds(1);
constexpr absl::Duration kTimeout = absl::Seconds(2);

Task<void> Fetch(HttpClient* client, std::string address, absl::StatusOr<HttpResponse>* response) {
  HttpRequest request;
  request.method = "GET";
  request.url = absl::StrCat("http://", address, "/metrics");
  request.connect_timeout = kTimeout;
  request.total_timeout = kTimeout;
  *response = co_await client->Send(std::move(request), nullptr);
}

absl::StatusOr<Scraper::Figures> FetchFigures(const std::string& address) {
  EventLoop loop;
  CurlHttpClient client(&loop);
  absl::StatusOr<HttpResponse> response = absl::UnavailableError("");
  loop.Run(Fetch(&client, address, &response));
  if (!response.ok() || response->status != 200)
    return absl::UnavailableError("its figures can't be fetched");
  return ParseMetrics(response->body, "ip2p_");
}

}  // namespace

absl::StatusOr<Scraper::Figures> Scraper::Scrape(const std::string& address) {
  absl::MutexLock lock(&mutex_);
  Remembered& remembered = remembered_[address];
  if (absl::Now() - remembered.when > kFresh) {
    remembered.figures = FetchFigures(address);
    remembered.when = absl::Now();
  }
  return remembered.figures;
}

}  // namespace ip2p::gateway
