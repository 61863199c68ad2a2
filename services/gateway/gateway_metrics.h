// The figures of the gateway for Prometheus. Thread-safe.
//
//   ip2p_gateway_requests_total{route,code}          answered requests; route is a pattern, "none" without
//   one ip2p_gateway_request_duration_seconds{route}     from the request's last byte to the whole answer
//   ip2p_gateway_open_streams                        requests that may take minutes and are not over
#pragma once

#include <memory>
#include <string>

#include "absl/time/time.h"
#include "prometheus/counter.h"
#include "prometheus/gauge.h"
#include "prometheus/histogram.h"
#include "prometheus/registry.h"

namespace ip2p::gateway {

class GatewayMetrics {
 public:
  GatewayMetrics();

  void OnAnswer(const std::string& route, int code, absl::Duration took);
  prometheus::Gauge& open_streams() { return open_streams_; }
  const std::shared_ptr<prometheus::Registry>& registry() const { return registry_; }

 private:
  const std::shared_ptr<prometheus::Registry> registry_;
  prometheus::Family<prometheus::Counter>& requests_;
  prometheus::Family<prometheus::Histogram>& durations_;
  prometheus::Gauge& open_streams_;
};

}  // namespace ip2p::gateway
