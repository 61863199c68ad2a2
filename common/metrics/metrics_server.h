// Serves a registry as Prometheus text at http://ADDRESS/metrics. Own threads (two); any number of scrapers.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "prometheus/collectable.h"

namespace prometheus {
class Exposer;
}

namespace ip2p {

class MetricsServer {
 public:
  // `address` is HOST:PORT; port 0 takes a free one. UNAVAILABLE when it can't listen.
  static absl::StatusOr<std::unique_ptr<MetricsServer>> Start(
      const std::string& address, const std::shared_ptr<prometheus::Collectable>& metrics);
  ~MetricsServer();

  int port() const { return port_; }

 private:
  MetricsServer(std::unique_ptr<prometheus::Exposer> exposer, int port);

  const std::unique_ptr<prometheus::Exposer> exposer_;
  const int port_;
};

}  // namespace ip2p
