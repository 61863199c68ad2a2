#include "services/training_coordinator/kubernetes_manifest.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/base/json.h"
#include "common/base/retry_policy.h"
#include "services/training_coordinator/cut_text.h"

namespace ip2p::training_coordinator {
namespace {

using Json = nlohmann::json;

constexpr char kJobLabel[] = "ip2p-job";
constexpr char kEpochLabel[] = "ip2p-epoch";
constexpr char kIndex[] = "batch.kubernetes.io/job-completion-index";
constexpr int kUser = 65532;         // of the image
constexpr int kSecretMode = 0440;    // of the image's group
constexpr int kKeepSeconds = 86400;  // a Job that has ended, for its pods' logs
constexpr size_t kMaxMessage = 512;
constexpr char kScratch[] = "/scratch";
constexpr char kStoreSecret[] = "/secrets/object-store";

Json Labels(const LaunchKey& key) {
  return {{"app.kubernetes.io/name", "ip2p-training-worker"},
          {"app.kubernetes.io/part-of", "ip2p"},
          {"app.kubernetes.io/managed-by", "ip2p-training-coordinator"},
          {kJobLabel, key.job_id},
          {kEpochLabel, absl::StrCat(key.epoch)}};
}

Json Environment(const LaunchOrder& order, const PodOptions& options) {
  Json variables = Json::array();
  const auto set = [&variables](const std::string& name, const std::string& value) {
    variables.push_back({{"name", name}, {"value", value}});
  };
  // Other ranks reach this one at its pod's address.
  variables.push_back(
      {{"name", "IP2P_HOST"}, {"valueFrom", {{"fieldRef", {{"fieldPath", "status.podIP"}}}}}});
  set("IP2P_THREADS", absl::StrCat(order.threads));
  set("IP2P_DEVICE", order.gpu ? "cuda:0" : "cpu");
  if (!options.scratch.empty()) {
    set("IP2P_RUN_DIR", absl::StrCat(kScratch, "/runs"));
    set("IP2P_CACHE_DIR", absl::StrCat(kScratch, "/cache"));
  }
  if (!options.store_secret.empty())
    set("AWS_SHARED_CREDENTIALS_FILE", absl::StrCat(kStoreSecret, "/credentials"));
  for (const auto& [name, value] : options.environment) set(name, value);
  return variables;
}

Json Mounts(const PodOptions& options) {
  Json mounts = Json::array(
      {{{"name", "data"}, {"mountPath", options.data_dir}}, {{"name", "tmp"}, {"mountPath", "/tmp"}}});
  if (!options.scratch.empty()) mounts.push_back({{"name", "scratch"}, {"mountPath", kScratch}});
  if (!options.store_secret.empty())
    mounts.push_back({{"name", "object-store"}, {"mountPath", kStoreSecret}, {"readOnly", true}});
  return mounts;
}

Json Volumes(const PodOptions& options) {
  Json volumes =
      Json::array({{{"name", "data"}, {"persistentVolumeClaim", {{"claimName", options.data_claim}}}},
                   {{"name", "tmp"}, {"emptyDir", {{"sizeLimit", "1Gi"}}}}});
  if (!options.scratch.empty())
    volumes.push_back({{"name", "scratch"}, {"emptyDir", {{"sizeLimit", options.scratch}}}});
  if (!options.store_secret.empty()) {
    volumes.push_back({{"name", "object-store"},
                       {"secret", {{"secretName", options.store_secret}, {"defaultMode", kSecretMode}}}});
  }
  return volumes;
}

Json Container(const LaunchOrder& order, const PodOptions& options, const std::string& coordinator,
               const std::string& token_file) {
  Json limits{{"memory", options.memory}};
  if (order.gpu) limits[options.gpu_resource] = "1";
  return {{"name", "worker"},
          {"image", options.image},
          {"command", {"ip2p_training_worker"}},
          {"args",
           {"--coordinator", coordinator, "--job", order.key.job_id, "--epoch", absl::StrCat(order.key.epoch),
            "--rank", "$(JOB_COMPLETION_INDEX)", "--world-size", absl::StrCat(order.world_size), "--data-dir",
            options.data_dir, "--token-file", token_file}},
          {"env", Environment(order, options)},
          {"resources",
           {{"requests", {{"cpu", absl::StrCat(order.threads)}, {"memory", options.memory}}},
            {"limits", limits}}},
          {"securityContext",
           {{"allowPrivilegeEscalation", false},
            {"readOnlyRootFilesystem", true},
            {"capabilities", {{"drop", {"ALL"}}}}}},
          {"volumeMounts", Mounts(options)}};
}

// The value at a path of keys; null when there is none.
const Json& At(const Json& json, std::initializer_list<const char*> keys) {
  static const Json kNothing;
  const Json* at = &json;
  for (const char* key : keys) {
    if (!at->is_object()) return kNothing;
    const auto found = at->find(key);
    if (found == at->end()) return kNothing;
    at = &*found;
  }
  return *at;
}

std::string TextAt(const Json& json, std::initializer_list<const char*> keys) {
  const Json& found = At(json, keys);
  return found.is_string() ? found.get<std::string>() : "";
}

int NumberAt(const Json& json, std::initializer_list<const char*> keys) {
  const Json& found = At(json, keys);
  return found.is_number_integer() ? found.get<int>() : 0;
}

}  // namespace

std::string JobName(const LaunchKey& key) { return absl::StrCat(key.job_id, "-e", key.epoch); }

std::string JobManifest(const LaunchOrder& order, const PodOptions& options, const std::string& coordinator,
                        const std::string& token_file) {
  const Json pod{{"restartPolicy", "Never"},
                 {"serviceAccountName", options.service_account},
                 {"automountServiceAccountToken", false},
                 {"enableServiceLinks", false},
                 {"terminationGracePeriodSeconds", options.grace_seconds},
                 {"securityContext",
                  {{"runAsNonRoot", true},
                   {"runAsUser", kUser},
                   {"runAsGroup", kUser},
                   {"fsGroup", kUser},
                   {"fsGroupChangePolicy", "OnRootMismatch"},
                   {"seccompProfile", {{"type", "RuntimeDefault"}}}}},
                 {"containers", {Container(order, options, coordinator, token_file)}},
                 {"volumes", Volumes(options)}};
  const Json manifest{{"apiVersion", "batch/v1"},
                      {"kind", "Job"},
                      {"metadata", {{"name", JobName(order.key)}, {"labels", Labels(order.key)}}},
                      {"spec",
                       {{"completionMode", "Indexed"},
                        {"completions", order.world_size},
                        {"parallelism", order.world_size},
                        {"backoffLimit", 0},
                        {"podReplacementPolicy", "Failed"},
                        {"ttlSecondsAfterFinished", kKeepSeconds},
                        {"template", {{"metadata", {{"labels", Labels(order.key)}}}, {"spec", pod}}}}}};
  return manifest.dump();
}

std::optional<LaunchKey> KeyOf(const Json& job) {
  LaunchKey key{.job_id = TextAt(job, {"metadata", "labels", kJobLabel})};
  const std::string epoch = TextAt(job, {"metadata", "labels", kEpochLabel});
  if (key.job_id.empty() || !absl::SimpleAtoi(epoch, &key.epoch)) return std::nullopt;
  return key;
}

bool HasEnded(const Json& job) {
  if (NumberAt(job, {"status", "active"}) > 0 || NumberAt(job, {"status", "terminating"}) > 0) return false;
  const Json& conditions = At(job, {"status", "conditions"});
  if (!conditions.is_array()) return false;
  for (const Json& condition : conditions) {
    const std::string type = TextAt(condition, {"type"});
    if ((type == "Complete" || type == "Failed") && TextAt(condition, {"status"}) == "True") return true;
  }
  return false;
}

std::map<int, int> ExitsOf(const Json& pods) {
  std::map<int, int> exits;
  const Json& items = At(pods, {"items"});
  if (!items.is_array()) return exits;
  for (const Json& pod : items) {
    int rank = 0;
    if (!absl::SimpleAtoi(TextAt(pod, {"metadata", "annotations", kIndex}), &rank)) continue;
    const std::string phase = TextAt(pod, {"status", "phase"});
    if (phase != "Succeeded" && phase != "Failed") continue;
    int code = phase == "Succeeded" ? 0 : -1;  // an evicted pod tells no exit code
    const Json& containers = At(pod, {"status", "containerStatuses"});
    if (containers.is_array() && !containers.empty()) {
      const Json& ended = At(containers[0], {"state", "terminated", "exitCode"});
      if (ended.is_number_integer()) code = ended.get<int>();
    }
    exits[rank] = code;
  }
  return exits;
}

absl::Status ApiFault(const std::string& what, int http_status, const std::string& body) {
  const Json json = Json::parse(body, nullptr, /*allow_exceptions=*/false);
  std::string message = CutText(TextAt(json, {"message"}), kMaxMessage);
  if (message.empty()) message = absl::StrCat("HTTP status ", http_status);
  const std::string text = absl::StrCat("the Kubernetes API refuses to ", what, ": ", message);
  switch (http_status) {
    case 401:
    case 403:
      return absl::PermissionDeniedError(text);
    case 404:
      return absl::NotFoundError(text);
    case 409:
      return absl::AlreadyExistsError(text);
    case 410:
      return absl::OutOfRangeError(text);
    default:
      break;
  }
  if (ClassifyHttpStatus(http_status, std::nullopt) == FailureKind::kTransient)
    return absl::UnavailableError(text);
  return absl::InvalidArgumentError(text);
}

}  // namespace ip2p::training_coordinator
