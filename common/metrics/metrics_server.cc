// prometheus-cpp's exposer; its constructor throws when it can't listen, which ends here.
#include "common/metrics/metrics_server.h"

#include <exception>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "prometheus/exposer.h"

namespace ip2p {

MetricsServer::MetricsServer(std::unique_ptr<prometheus::Exposer> exposer, int port)
    : exposer_(std::move(exposer)), port_(port) {}

MetricsServer::~MetricsServer() = default;

absl::StatusOr<std::unique_ptr<MetricsServer>> MetricsServer::Start(
    const std::string& address, const std::shared_ptr<prometheus::Collectable>& metrics) {
  try {
    auto exposer = std::make_unique<prometheus::Exposer>(address);
    exposer->RegisterCollectable(metrics);
    const std::vector<int> ports = exposer->GetListeningPorts();
    if (ports.size() == 1) {
      return std::unique_ptr<MetricsServer>(new MetricsServer(std::move(exposer), ports[0]));
    }
  } catch (const std::exception&) {  // says nothing that the address does not
  }
  return absl::UnavailableError(
      absl::StrCat("metrics can't listen on ", address, "; wants a free HOST:PORT"));
}

}  // namespace ip2p
