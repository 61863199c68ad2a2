// The state of the whole cluster in one answer.
//
//   GET /api/v1/overview   {"services": [{"name", "state", "message", "figures"}, …]} in the order of the
//   flow.
//                          state: serving, unavailable, absent (not configured). figures: name and labels to
//                          value, as /metrics tells them; null when they are not known
#pragma once

#include <string>

#include "services/gateway/router.h"
#include "services/gateway/scraper.h"
#include "services/gateway/upstream.h"

namespace ip2p::gateway {

// HOST:PORT each; empty: not known.
struct MetricsAddresses {
  std::string edit;
  std::string prompt;
  std::string pair;
  std::string training;
};

struct OverviewParts {
  const Upstreams* upstreams = nullptr;
  Scraper* scraper = nullptr;
  MetricsAddresses metrics;
};

void AddOverviewRoutes(Router& router, const OverviewParts& parts);

}  // namespace ip2p::gateway
