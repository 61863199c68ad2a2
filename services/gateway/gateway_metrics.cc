#include "services/gateway/gateway_metrics.h"

#include "absl/strings/str_cat.h"
#include "common/metrics/buckets.h"

namespace ip2p::gateway {
namespace {

prometheus::Gauge& Gauge(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry).Add({});
}

}  // namespace

GatewayMetrics::GatewayMetrics()
    : registry_(std::make_shared<prometheus::Registry>()),
      requests_(prometheus::BuildCounter()
                    .Name("ip2p_gateway_requests_total")
                    .Help("Answered HTTP requests by route and status")
                    .Register(*registry_)),
      durations_(prometheus::BuildHistogram()
                     .Name("ip2p_gateway_request_duration_seconds")
                     .Help("From a request's last byte to its whole answer")
                     .Register(*registry_)),
      open_streams_(Gauge(*registry_, "ip2p_gateway_open_streams",
                          "Requests that may take minutes and are not over")) {}

void GatewayMetrics::OnAnswer(const std::string& route, int code, absl::Duration took) {
  requests_.Add({{"route", route}, {"code", absl::StrCat(code)}}).Increment();
  durations_.Add({{"route", route}}, DurationBuckets()).Observe(absl::ToDoubleSeconds(took));
}

}  // namespace ip2p::gateway
