// What is set by text becomes values; what fits none is listed.
#include "services/pair_generator/config.h"

#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/model_settings.h"
#include "common/pipeline/pair_miniature.h"
#include "common/rpc/server_settings.h"

namespace ip2p::pair_generator {
namespace {

struct Texts {
  std::vector<std::string> model;
  PairModels shared;  // what every model takes, and the one of --ckpt
  std::string precision = "auto";
  std::string batch = "auto";
};

void DeclareModels(Settings& settings, ServerConfig& config, Texts& texts) {
  settings.Add("ckpt", &texts.shared.checkpoint,
               "a text-to-image checkpoint, served as \"default\" (default: the miniature)");
  settings.Add("model", &texts.model, "NAME=CHECKPOINT, may be given often; the first is the default");
  settings.Add("vae_ckpt", &texts.shared.vae_checkpoint, "takes the VAE from here instead");
  settings.Add("clip", &texts.shared.clip,
               "folder of a CLIP in transformers' layout; without it no thresholds");
  settings.Add("safety_checker", &texts.shared.safety_checker, "folder of diffusers' safety checker");
  settings.Add("device", &config.sampler.device, "cpu or cuda:N");
  settings.Add("precision", &texts.precision, "auto, fp32, bf16 or fp16");
  settings.Add("threads", &config.sampler.threads, 0, 1024, "threads of one operation; 0: all");
  settings.Add("batch", &texts.batch, "samples denoised together, 1..256 or auto");
}

void DeclareServer(Settings& settings, ServerConfig& config) {
  settings.Add("listen", &config.listen, "HOST:PORT for callers; port 0 takes a free one");
  settings.Add("metrics_listen", &config.metrics_listen, "HOST:PORT of /metrics; \"off\": none");
  settings.Add("queue_limit", &config.queue_limit, 1, 10000, "requests that may wait for a model");
  settings.Add("client_limit", &config.client_limit, 0, 10000,
               "requests under way of one caller; 0: unlimited");
  settings.Add("max_concurrent_streams", &config.max_concurrent_streams, 1, 100000,
               "calls of one connection");
  settings.Add("drain_seconds", &config.drain_seconds, 0, 86400, "time for admitted requests after SIGTERM");
  settings.Add("send_timeout_seconds", &config.send_timeout_seconds, 0.01, 86400,
               "time for a caller to take what waits for it");
  settings.Add("send_buffer_mb", &config.send_buffer_mb, 1, 65536,
               "events of a request that wait for its caller, MiB; beyond that the request waits");
  settings.Add("token_file", &config.token_file, "JSON file of bearer tokens; callers must send one");
  settings.Add("tls_cert_file", &config.tls_cert_file, "PEM certificate chain; turns TLS on");
  settings.Add("tls_key_file", &config.tls_key_file, "PEM private key");
  settings.Add("tls_client_ca_file", &config.tls_client_ca_file,
               "PEM roots; callers must show a certificate");
  settings.Add("log_level", &config.log_level, "debug, info, warning or error");
}

void AddMiniature(const Texts& texts, ServerConfig& config, std::vector<std::string>& faults) {
  PairModels models = texts.shared;
  if (const absl::Status taken = TakeMiniature(models); !taken.ok()) {
    faults.push_back(absl::StrCat(taken.message(), "; wants --ckpt CHECKPOINT or --model NAME=CHECKPOINT"));
    return;
  }
  config.models.push_back({"miniature", std::move(models)});
  config.miniature = true;
}

void ReadModels(const Texts& texts, ServerConfig& config, std::vector<std::string>& faults) {
  for (NamedModel& named : ReadNamedModels(texts.shared.checkpoint, texts.model, faults)) {
    ModelSpec& spec = config.models.emplace_back(ModelSpec{std::move(named.name), texts.shared});
    spec.models.checkpoint = std::move(named.checkpoint);
  }
  if (config.models.empty() && faults.empty()) {
    AddMiniature(texts, config, faults);
  }
}

void ReadSampler(const Texts& texts, ServerConfig& config, std::vector<std::string>& faults) {
  if (const absl::StatusOr<Precision> precision = ParsePrecision(texts.precision); precision.ok()) {
    config.sampler.precision = *precision;
  } else {
    faults.push_back(std::string(precision.status().message()));
  }
  int& batch = config.sampler.batch;
  if (texts.batch != "auto" &&
      (!absl::SimpleAtoi(texts.batch, &batch) || batch < 1 || batch > kMaxPairBatch)) {
    faults.push_back(absl::StrCat("batch is \"", texts.batch, "\"; wants auto or 1..", kMaxPairBatch));
  }
}

}  // namespace

absl::StatusOr<std::optional<ServerConfig>> LoadServerConfig(const std::vector<std::string>& args,
                                                             const Settings::Environment& environment) {
  ServerConfig config;
  Texts texts;
  Settings settings(
      "ip2p_pair_generator: makes image pairs of prompts over gRPC (ip2p.pair.v1.PairService).");
  DeclareServer(settings, config);
  DeclareModels(settings, config, texts);
  std::vector<std::string> faults;
  if (!LoadOrPrint(settings, args, environment, "ip2p_pair_generator " IP2P_VERSION, faults))
    return std::optional<ServerConfig>();
  ReadModels(texts, config, faults);
  ReadSampler(texts, config, faults);
  ReadLogLevel(config.log_level, faults);
  if (config.metrics_listen == "off") config.metrics_listen.clear();
  CheckTlsFiles(config.tls_cert_file, config.tls_key_file, config.tls_client_ca_file, faults);
  if (!faults.empty()) return absl::InvalidArgumentError(absl::StrJoin(faults, "\n"));
  return std::optional<ServerConfig>(std::move(config));
}

}  // namespace ip2p::pair_generator
