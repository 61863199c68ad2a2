// The gateway as a whole: settings in, a port with pages and a JSON API out.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "common/metrics/metrics_server.h"
#include "services/gateway/config.h"
#include "services/gateway/dataset_catalog.h"
#include "services/gateway/dataset_source.h"
#include "services/gateway/gateway_metrics.h"
#include "services/gateway/guard.h"
#include "services/gateway/router.h"
#include "services/gateway/running_work.h"
#include "services/gateway/scraper.h"
#include "services/gateway/upstream.h"
#include "services/gateway/web_server.h"

namespace ip2p::gateway {

class Gateway final : public WebApp {
 public:
  // Listens when it returns. Errors: INVALID_ARGUMENT, NOT_FOUND (files), UNAVAILABLE (ports), of the cache.
  static absl::StatusOr<std::unique_ptr<Gateway>> Start(const GatewayConfig& config);

  std::string ReadyLine() const;  // {"event":"ready","port":8080,"metrics_port":9468}
  void Drain();

  std::optional<WebAnswer> Admit(WebRequest& request) override;
  WebAnswer Answer(WebRequest& request, EventSink& events) override;

 private:
  Gateway(const GatewayConfig& config, Guard guard, Upstreams upstreams,
          std::unique_ptr<DatasetSource> datasets);

  void AddRoutes();
  absl::StatusOr<WebAnswer> Refuse(const WebRequest& request) const;
  WebAnswer Told(const WebRequest& request, WebAnswer answer, bool streamed, absl::Time begin);

  const GatewayConfig config_;
  const Guard guard_;
  const Upstreams upstreams_;
  GatewayMetrics metrics_;
  RunningWork running_;
  DatasetCatalog datasets_;
  Scraper scraper_;
  Router router_;
  std::atomic<int> streams_ = 0;
  std::unique_ptr<MetricsServer> metrics_server_;
  std::unique_ptr<WebServer> web_;  // last: it calls all of the above
};

}  // namespace ip2p::gateway
