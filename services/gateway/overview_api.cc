#include "services/gateway/overview_api.h"

#include "ip2p/edit/v1/edit_service.grpc.pb.h"
#include "ip2p/pair/v1/pair_service.grpc.pb.h"
#include "ip2p/prompt/v1/prompt_service.grpc.pb.h"
#include "ip2p/training/v1/training_service.grpc.pb.h"
#include "services/gateway/health.h"
#include "services/gateway/json_body.h"

namespace ip2p::gateway {
namespace {

using nlohmann::json;

constexpr absl::Duration kHealthTimeout = absl::Seconds(2);

json ServiceJson(const OverviewParts& parts, const WebRequest& request, const char* name,
                 const Upstream& upstream, const char* grpc_name, const std::string& metrics) {
  json service = {{"name", name}, {"state", "absent"}, {"message", ""}, {"figures", nullptr}};
  if (upstream.configured()) {
    const absl::Status health = AskHealth(upstream, request, grpc_name, kHealthTimeout);
    service["state"] = health.ok() ? "serving" : "unavailable";
    service["message"] = std::string(health.message());
  }
  if (!metrics.empty()) {
    const absl::StatusOr<Scraper::Figures> figures = parts.scraper->Scrape(metrics);
    if (figures.ok()) service["figures"] = *figures;
  }
  return service;
}

absl::StatusOr<WebAnswer> Overview(const OverviewParts& parts, const WebRequest& request) {
  const Upstreams& all = *parts.upstreams;
  const json services = json::array({
      ServiceJson(parts, request, "prompts", all.prompt, prompt::v1::PromptService::service_full_name(),
                  parts.metrics.prompt),
      ServiceJson(parts, request, "pairs", all.pair, pair::v1::PairService::service_full_name(),
                  parts.metrics.pair),
      ServiceJson(parts, request, "training", all.training,
                  training::v1::TrainingService::service_full_name(), parts.metrics.training),
      ServiceJson(parts, request, "edits", all.edit, edit::v1::EditService::service_full_name(),
                  parts.metrics.edit),
  });
  return JsonAnswer({{"services", services}});
}

}  // namespace

void AddOverviewRoutes(Router& router, const OverviewParts& parts) {
  router.Add({.method = "GET",
              .pattern = "/api/v1/overview",
              .handler = [parts](WebRequest& request, EventSink&) { return Overview(parts, request); }});
}

}  // namespace ip2p::gateway
