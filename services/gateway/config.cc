#include "services/gateway/config.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/object_store/object_url.h"
#include "common/rpc/server_settings.h"
#include "services/gateway/guard.h"
#include "services/gateway/listen_socket.h"

namespace ip2p::gateway {
namespace {

struct Numbers {
  double header_seconds = 10;
  int least_rate_kb = 16;
  int body_total_mb = 256;
};

void DeclareUpstreams(Settings& settings, GatewayConfig& config) {
  settings.Add("edit_server", &config.edit_server, "HOST:PORT of the edit server; \"off\": none");
  settings.Add("prompt_server", &config.prompt_server, "HOST:PORT of the prompt generator");
  settings.Add("pair_server", &config.pair_server, "HOST:PORT of the pair generator");
  settings.Add("training_server", &config.training_server, "HOST:PORT of the training coordinator");
  settings.Add("edit_metrics", &config.edit_metrics, "HOST:PORT of its /metrics, for the overview");
  settings.Add("prompt_metrics", &config.prompt_metrics, "the same of the prompt generator");
  settings.Add("pair_metrics", &config.pair_metrics, "the same of the pair generator");
  settings.Add("training_metrics", &config.training_metrics, "the same of the training coordinator");
  settings.Add("upstream_tls_ca_file", &config.upstream_tls_ca_file,
               "PEM roots of the services; turns TLS to them on");
  settings.Add("upstream_tls_cert_file", &config.upstream_tls_cert_file, "PEM certificate to show them");
  settings.Add("upstream_tls_key_file", &config.upstream_tls_key_file, "PEM private key of it");
  settings.Add("datasets_dir", &config.datasets_dir,
               "folder whose folders are the datasets to browse; s3://BUCKET/PREFIX: they are copied to "
               "IP2P_CACHE_DIR when they are looked at");
  settings.Add("training_data_dir", &config.training_data_dir,
               "the coordinator's --data-dir, for curves and validation images");
  settings.Add("dataset_samples", &config.dataset_samples, 1000, 1'000'000'000,
               "scored samples of a dataset that are kept in memory, 56 B each");
  settings.Add("dataset_copy_gb", &config.dataset_copy_gb, 1, 1'000'000,
               "of a dataset at s3://, GB that are copied; the rest is left out");
}

void DeclareWeb(Settings& settings, GatewayConfig& config, Numbers& numbers) {
  settings.Add("listen", &config.listen, "HOST:PORT for browsers and programs; port 0 takes a free one");
  settings.Add("metrics_listen", &config.metrics_listen, "HOST:PORT of /metrics; \"off\": none");
  settings.Add("token_file", &config.token_file,
               "JSON file of bearer tokens, as the services have; callers must log in");
  settings.Add("secure_cookie", &config.secure_cookie, "the login's cookie is for https only");
  settings.Add("allowed_hosts", &config.allowed_hosts,
               "names that callers may use for this gateway, without ports; default: loopback's when it "
               "listens there, else any");
  settings.Add("max_connections", &config.web.watch.max_connections, 8, 100000, "open connections");
  settings.Add("threads", &config.web.threads, 2, 1024, "requests worked on at once");
  settings.Add("max_streams", &config.max_streams, 1, 1000,
               "of these, edits and watches that may take minutes; under threads");
  settings.Add("max_body_mb", &config.max_body_mb, 1, 1024, "largest body of an edit, MiB");
  settings.Add("max_bodies_mb", &numbers.body_total_mb, 1, 65536, "bodies of all requests together, MiB");
  settings.Add("header_seconds", &numbers.header_seconds, 0.1, 3600,
               "time for a request's headers, and of an idle connection");
  settings.Add("least_rate_kb", &numbers.least_rate_kb, 1, 1'000'000,
               "KiB a second that a body or an answer must move after 5 s");
  settings.Add("edit_timeout_seconds", &config.edit_timeout_seconds, 1, 86400, "time for an edit or a sweep");
  settings.Add("drain_seconds", &config.drain_seconds, 0, 86400, "time for open requests after SIGTERM");
  settings.Add("log_level", &config.log_level, "debug, info, warning or error");
}

}  // namespace

absl::StatusOr<std::optional<GatewayConfig>> LoadGatewayConfig(const std::vector<std::string>& args,
                                                               const Settings::Environment& environment) {
  GatewayConfig config;
  Numbers numbers;
  Settings settings("ip2p_gateway: web pages and a JSON API in front of the gRPC services.");
  DeclareWeb(settings, config, numbers);
  DeclareUpstreams(settings, config);
  std::vector<std::string> faults;
  if (!LoadOrPrint(settings, args, environment, "ip2p_gateway " IP2P_VERSION, faults)) {
    return std::optional<GatewayConfig>();
  }
  ReadLogLevel(config.log_level, faults);
  if (config.metrics_listen == "off") config.metrics_listen.clear();
  if (config.edit_server == "off") config.edit_server.clear();
  if (config.max_streams >= config.web.threads) {
    faults.push_back(absl::StrCat("max_streams is ", config.max_streams, "; wants less than threads (",
                                  config.web.threads, "), so that short requests find one"));
  }
  if (config.upstream_tls_cert_file.empty() != config.upstream_tls_key_file.empty()) {
    faults.push_back("TLS is half configured; wants both upstream_tls_cert_file and upstream_tls_key_file");
  }
  if (absl::StrContains(config.datasets_dir, "://")) {
    if (const absl::Status url = ParseObjectUrl(config.datasets_dir).status(); !url.ok())
      faults.push_back(absl::StrCat("datasets_dir: ", url.message()));
  }
  for (std::string& host : config.allowed_hosts) host = absl::AsciiStrToLower(host);
  if (config.allowed_hosts.empty()) config.allowed_hosts = DefaultAllowedHosts(HostOf(config.listen));
  config.web.address = config.listen;
  config.web.watch.header_time = absl::Seconds(numbers.header_seconds);
  config.web.watch.least_rate = int64_t{numbers.least_rate_kb} << 10;
  config.web.body_bytes_total = int64_t{numbers.body_total_mb} << 20;
  if (!faults.empty()) return absl::InvalidArgumentError(absl::StrJoin(faults, "\n"));
  return std::optional<GatewayConfig>(std::move(config));
}

}  // namespace ip2p::gateway
