// What is said to a Kubernetes API server and what its objects say, as values. Pure.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "nlohmann/json_fwd.hpp"
#include "services/training_coordinator/launcher.h"

namespace ip2p::training_coordinator {

// What all workers' pods have in common.
struct PodOptions {
  std::string image;
  std::string data_claim;  // PersistentVolumeClaim of the data folder, mounted at its own path
  std::string data_dir;
  std::string service_account = "ip2p-training-worker";
  std::string memory = "4Gi";  // request and limit
  std::string gpu_resource = "nvidia.com/gpu";
  // Of the node, at /scratch: runs and copies of objects, of jobs with a mirror; as Kubernetes writes a size.
  // Empty: none, runs are on the claim.
  std::string scratch;
  std::string store_secret;  // with a file `credentials` for the object store; empty: none
  int grace_seconds = 5;     // from SIGTERM to SIGKILL
  std::map<std::string, std::string> environment;
};

// The label that tells this coordinator's Jobs from others.
inline constexpr char kManagedBy[] = "app.kubernetes.io/managed-by=ip2p-training-coordinator";

// One name a launch: created twice, it is there already.
std::string JobName(const LaunchKey& key);

// An Indexed Job, one pod a rank. A pod that ends badly fails all: another launch follows, under another
// name.
std::string JobManifest(const LaunchOrder& order, const PodOptions& options, const std::string& coordinator,
                        const std::string& token_file);

// Out of a Job: whose it is; nothing when it isn't a launch.
std::optional<LaunchKey> KeyOf(const nlohmann::json& job);
// No pod of it runs or will run.
bool HasEnded(const nlohmann::json& job);

// Out of a PodList of one Job: ranks whose worker has ended.
std::map<int, int> ExitsOf(const nlohmann::json& pods);

// What a status that is no success means, with the server's own message. PERMISSION_DENIED for 401 and 403,
// NOT_FOUND 404, ALREADY_EXISTS 409, OUT_OF_RANGE 410, UNAVAILABLE for what may pass, else INVALID_ARGUMENT.
absl::Status ApiFault(const std::string& what, int http_status, const std::string& body);

}  // namespace ip2p::training_coordinator
