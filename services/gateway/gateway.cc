// What every request passes, written once: id, origin, route, token, then the route's handler.
#include "services/gateway/gateway.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "common/base/log.h"
#include "common/base/random.h"
#include "common/base/status_macros.h"
#include "services/gateway/assets.h"
#include "services/gateway/dataset_api.h"
#include "services/gateway/edit_api.h"
#include "services/gateway/overview_api.h"
#include "services/gateway/prompts_api.h"
#include "services/gateway/session_api.h"
#include "services/gateway/sweep_api.h"
#include "services/gateway/training_api.h"
#include "services/gateway/url_text.h"
#include "services/gateway/web_errors.h"

namespace ip2p::gateway {
namespace {

std::string Text(std::string_view view) { return std::string(view); }

absl::StatusOr<Upstreams> ConnectAll(const GatewayConfig& config) {
  const UpstreamTls tls{config.upstream_tls_ca_file, config.upstream_tls_cert_file,
                        config.upstream_tls_key_file};
  IP2P_ASSIGN_OR_RETURN(Upstream edit, Upstream::Connect("edit server", config.edit_server, tls));
  IP2P_ASSIGN_OR_RETURN(Upstream prompt, Upstream::Connect("prompt generator", config.prompt_server, tls));
  IP2P_ASSIGN_OR_RETURN(Upstream pair, Upstream::Connect("pair generator", config.pair_server, tls));
  IP2P_ASSIGN_OR_RETURN(Upstream training,
                        Upstream::Connect("training coordinator", config.training_server, tls));
  return Upstreams{std::move(edit), std::move(prompt), std::move(pair), std::move(training)};
}

bool TakesBody(const WebRequest& request) { return request.method == "POST" && request.content_length > 0; }

// A page of another origin can send forms and plain text without asking first; JSON it can't.
bool IsKnownType(const WebRequest& request) {
  const std::string type = Text(request.Header("content-type"));
  if (absl::StartsWithIgnoreCase(type, "application/json")) return true;
  return request.route->takes_form && absl::StartsWithIgnoreCase(type, "multipart/form-data");
}

}  // namespace

Gateway::Gateway(const GatewayConfig& config, Guard guard, Upstreams upstreams,
                 std::unique_ptr<DatasetSource> datasets)
    : config_(config),
      guard_(std::move(guard)),
      upstreams_(std::move(upstreams)),
      datasets_(std::move(datasets), config.dataset_samples) {
  AddRoutes();
}

absl::StatusOr<std::unique_ptr<Gateway>> Gateway::Start(const GatewayConfig& config) {
  Authenticator authenticator;
  if (!config.token_file.empty()) {
    IP2P_ASSIGN_OR_RETURN(authenticator, Authenticator::FromFile(config.token_file));
  }
  IP2P_ASSIGN_OR_RETURN(Upstreams upstreams, ConnectAll(config));
  IP2P_ASSIGN_OR_RETURN(
      std::unique_ptr<DatasetSource> datasets,
      OpenDatasetSource(config.datasets_dir, int64_t{config.dataset_copy_gb} * 1'000'000'000));
  std::unique_ptr<Gateway> gateway(new Gateway(config, Guard(std::move(authenticator), config.allowed_hosts),
                                               std::move(upstreams), std::move(datasets)));
  if (!config.metrics_listen.empty()) {
    IP2P_ASSIGN_OR_RETURN(gateway->metrics_server_,
                          MetricsServer::Start(config.metrics_listen, gateway->metrics_.registry()));
  }
  IP2P_ASSIGN_OR_RETURN(gateway->web_, WebServer::Start(config.web, gateway.get()));
  return gateway;
}

void Gateway::AddRoutes() {
  router_.Add({.method = "GET",
               .pattern = "/healthz",
               .handler = [](WebRequest&, EventSink&) -> absl::StatusOr<WebAnswer> {
                 return WebAnswer{.body = R"({"status":"serving"})"};
               },
               .open = true});
  AddAssetRoutes(router_);
  AddSessionRoutes(router_, {.guard = &guard_, .secure_cookie = config_.secure_cookie});
  const EditApiParts edit{.upstream = &upstreams_.edit,
                          .running = &running_,
                          .timeout = absl::Seconds(config_.edit_timeout_seconds),
                          .max_body_bytes = static_cast<size_t>(config_.max_body_mb) << 20};
  AddEditRoutes(router_, edit);
  AddSweepRoutes(router_, edit);
  AddPromptsRoutes(router_, &upstreams_.prompt);
  AddDatasetRoutes(router_, &datasets_);
  AddTrainingRoutes(router_, {.upstream = &upstreams_.training, .data_dir = config_.training_data_dir});
  AddOverviewRoutes(router_, {.upstreams = &upstreams_,
                              .scraper = &scraper_,
                              .metrics = {.edit = config_.edit_metrics,
                                          .prompt = config_.prompt_metrics,
                                          .pair = config_.pair_metrics,
                                          .training = config_.training_metrics}});
}

std::optional<WebAnswer> Gateway::Admit(WebRequest& request) {
  const absl::Time begin = absl::Now();
  const std::string id = Text(request.Header("x-request-id"));
  request.request_id = IsRequestId(id) ? id : RandomRequestId();
  request.traceparent = TraceParentOf(request);
  const absl::StatusOr<WebAnswer> refused = [&]() -> absl::StatusOr<WebAnswer> {
    const std::optional<std::vector<std::string>> path = SplitPath(request.path);
    if (!path) return absl::InvalidArgumentError("the path has a bad escape, or leads upwards or nowhere");
    IP2P_RETURN_IF_ERROR(guard_.CheckOrigin(request));
    Router::Match match = router_.Find(request.method, *path);
    request.route = match.route;
    request.parts = std::move(match.parts);
    if (match.route != nullptr) request.max_body_bytes = match.route->max_body_bytes;
    if (match.route == nullptr && match.allowed.empty()) return absl::NotFoundError("no such page");
    if (match.route == nullptr) {
      WebAnswer answer = ErrorAnswer(
          405, "UNIMPLEMENTED", absl::StrCat(request.method, " does nothing here; wants ", match.allowed));
      answer.headers.emplace_back("Allow", match.allowed);
      return answer;
    }
    if (absl::Status known = guard_.Identify(request); !known.ok() && !match.route->open) return known;
    return Refuse(request);
  }();
  if (refused.ok() && refused->status == 200) return std::nullopt;
  return Told(request, refused.ok() ? *refused : ErrorAnswer(refused.status()), false, begin);
}

absl::StatusOr<WebAnswer> Gateway::Refuse(const WebRequest& request) const {
  const auto limit = static_cast<int64_t>(request.route->max_body_bytes);
  if (request.content_length > limit) {
    return ErrorAnswer(413, "INVALID_ARGUMENT",
                       absl::StrCat("the body has ", request.content_length, " B; wants at most ", limit));
  }
  if (TakesBody(request) && !IsKnownType(request)) {
    return ErrorAnswer(
        415, "INVALID_ARGUMENT",
        absl::StrCat("Content-Type is \"", Text(request.Header("content-type")), "\"; wants application/json",
                     request.route->takes_form ? " or multipart/form-data" : ""));
  }
  return WebAnswer();
}

WebAnswer Gateway::Answer(WebRequest& request, EventSink& events) {
  const absl::Time begin = absl::Now();
  const bool long_lived = request.route->long_lived;
  absl::StatusOr<WebAnswer> answer = absl::ResourceExhaustedError("");
  if (!long_lived) {
    answer = request.route->handler(request, events);
  } else if (streams_.fetch_add(1) < config_.max_streams) {
    metrics_.open_streams().Increment();
    answer = request.route->handler(request, events);
    metrics_.open_streams().Decrement();
    --streams_;
  } else {
    --streams_;
    answer = WithRetryAfter(
        absl::ResourceExhaustedError(absl::StrCat("max_streams (", config_.max_streams,
                                                  ") edits and watches are open; try again later")),
        absl::Seconds(5));
  }
  WebAnswer told = answer.ok() ? *std::move(answer) : ErrorAnswer(answer.status());
  // After the first event the status is sent; what went wrong then becomes the last event.
  const bool streamed = events.begun();
  if (streamed && told.status != 200) events.Send("error", told.body);
  return Told(request, std::move(told), streamed, begin);
}

WebAnswer Gateway::Told(const WebRequest& request, WebAnswer answer, bool streamed, absl::Time begin) {
  const absl::Duration took = absl::Now() - begin;
  const std::string route = request.route == nullptr ? "none" : request.route->pattern;
  metrics_.OnAnswer(route, answer.status, took);
  Log(answer.status >= 500 ? LogLevel::kError : LogLevel::kInfo, "request",
      {{"method", request.method},
       {"route", route},
       {"status", answer.status},
       {"streamed", streamed},
       {"request_id", request.request_id},
       {"traceparent", request.traceparent},
       {"caller", request.caller},
       {"bytes", static_cast<int64_t>(answer.body.size())},
       {"ms", absl::ToInt64Milliseconds(took)}});
  answer.headers.emplace_back("X-Request-Id", request.request_id);
  return answer;
}

std::string Gateway::ReadyLine() const {
  return absl::StrFormat("{\"event\":\"ready\",\"port\":%d,\"metrics_port\":%d}", web_->port(),
                         metrics_server_ == nullptr ? 0 : metrics_server_->port());
}

void Gateway::Drain() {
  Log(LogLevel::kInfo, "draining", {{"connections", web_->connections()}});
  web_->Drain(absl::Now() + absl::Seconds(config_.drain_seconds));
  Log(LogLevel::kInfo, "drained");
}

}  // namespace ip2p::gateway
