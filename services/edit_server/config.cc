// What is set by text becomes values; what fits none is listed.
#include "services/edit_server/config.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/miniature.h"
#include "common/base/model_settings.h"
#include "common/rpc/server_settings.h"

namespace ip2p::edit_server {
namespace {

struct Texts {
  std::vector<std::string> model;
  std::string ckpt;
  std::string vae_ckpt;
  std::string precision = "auto";
};

Settings Declare(ServerConfig& config, Texts& texts) {
  Settings settings("ip2p_edit_server: edits photos by instruction over gRPC (ip2p.edit.v1.EditService).");
  settings.Add("listen", &config.listen, "HOST:PORT for callers; port 0 takes a free one");
  settings.Add("admin_listen", &config.admin_listen,
               "HOST:PORT for operators: ModelService, health, reflection");
  settings.Add("metrics_listen", &config.metrics_listen, "HOST:PORT of /metrics; \"off\": none");
  settings.Add("ckpt", &texts.ckpt,
               "a checkpoint, served under the name \"default\" (default: the miniature)");
  settings.Add("model", &texts.model, "NAME=CHECKPOINT, may be given often; the first is the default");
  settings.Add("vae_ckpt", &texts.vae_ckpt, "takes the VAE from here instead");
  settings.Add("models_dir", &config.models_dir, "where ReloadModel finds other checkpoints");
  settings.Add("device", &config.device, "cpu or cuda:N");
  settings.Add("precision", &texts.precision, "auto, fp32, bf16 or fp16");
  settings.Add("threads", &config.threads, 0, 1024, "threads of one operation; 0: all");
  settings.Add("max_batch", &config.max_batch, 1, 64, "pictures denoised together");
  settings.Add("queue_limit", &config.queue_limit, 1, 10000, "edits that may wait");
  settings.Add("client_limit", &config.client_limit, 0, 10000, "edits under way of one caller; 0: unlimited");
  settings.Add("remember_mb", &config.remember_mb, 0, 65536, "answers kept for repeated request ids, MiB");
  settings.Add("codec_threads", &config.codec_threads, 1, 64, "threads that read and write pictures");
  settings.Add("max_concurrent_streams", &config.max_concurrent_streams, 1, 100000,
               "calls of one connection");
  settings.Add("drain_seconds", &config.drain_seconds, 0, 86400, "time for admitted edits after SIGTERM");
  settings.Add("send_timeout_seconds", &config.send_timeout_seconds, 0.01, 86400,
               "time for a caller to take its answer");
  settings.Add("token_file", &config.token_file, "JSON file of bearer tokens; callers must send one");
  settings.Add("tls_cert_file", &config.tls_cert_file, "PEM certificate chain; turns TLS on");
  settings.Add("tls_key_file", &config.tls_key_file, "PEM private key");
  settings.Add("tls_client_ca_file", &config.tls_client_ca_file,
               "PEM roots; callers must show a certificate");
  settings.Add("log_level", &config.log_level, "debug, info, warning or error");
  return settings;
}

void ReadModels(const Texts& texts, ServerConfig& config, std::vector<std::string>& faults) {
  for (NamedModel& named : ReadNamedModels(texts.ckpt, texts.model, faults))
    config.models.push_back({std::move(named.name), std::move(named.checkpoint), texts.vae_ckpt});
  if (config.models.empty() && faults.empty()) {
    if (const absl::StatusOr<std::string> path = FindMiniature("edit"); path.ok()) {
      config.miniature = true;
      config.models.push_back({"miniature", *path, texts.vae_ckpt});
    } else {
      faults.push_back(absl::StrCat("no model is named, and ", path.status().message(),
                                    "; wants --ckpt CHECKPOINT or --model NAME=CHECKPOINT"));
    }
  }
}

}  // namespace

absl::StatusOr<std::optional<ServerConfig>> LoadServerConfig(const std::vector<std::string>& args,
                                                             const Settings::Environment& environment) {
  ServerConfig config;
  Texts texts;
  Settings settings = Declare(config, texts);
  std::vector<std::string> faults;
  if (!LoadOrPrint(settings, args, environment, "ip2p_edit_server " IP2P_VERSION, faults))
    return std::optional<ServerConfig>();
  ReadModels(texts, config, faults);
  ReadLogLevel(config.log_level, faults);
  if (const absl::StatusOr<Precision> precision = ParsePrecision(texts.precision); precision.ok()) {
    config.precision = *precision;
  } else {
    faults.push_back(std::string(precision.status().message()));
  }
  if (config.metrics_listen == "off") config.metrics_listen.clear();
  CheckTlsFiles(config.tls_cert_file, config.tls_key_file, config.tls_client_ca_file, faults);
  if (!faults.empty()) return absl::InvalidArgumentError(absl::StrJoin(faults, "\n"));
  return std::optional<ServerConfig>(std::move(config));
}

}  // namespace ip2p::edit_server
