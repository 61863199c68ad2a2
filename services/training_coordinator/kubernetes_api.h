// The few requests that a launcher makes of a Kubernetes API server: tried again where that may help, with
// the token read anew each time, since the cluster renews it. One loop's thread.
#pragma once

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/cancel_token.h"
#include "common/base/task.h"
#include "common/http/event_loop.h"
#include "common/http/http_client.h"
#include "nlohmann/json_fwd.hpp"

namespace ip2p::training_coordinator {

struct KubernetesAccess {
  std::string server;      // https://HOST:PORT
  std::string space;       // the namespace
  std::string token_file;  // empty: no token
};

class KubernetesApi {
 public:
  // All must outlive it.
  KubernetesApi(KubernetesAccess access, EventLoop* loop, HttpClient* http, std::function<double()> random)
      : access_(std::move(access)), loop_(loop), http_(http), random_(std::move(random)) {}

  // `body` is a Job. ALREADY_EXISTS: one of its name is there. Errors as ApiFault, and UNAVAILABLE when all
  // tries were in vain: then nobody knows whether it came into being.
  Task<absl::Status> CreateJob(std::string body, CancelToken* cancel);
  Task<absl::StatusOr<nlohmann::json>> GetJob(std::string name, CancelToken* cancel);
  // The Job goes when its pods are gone. NOT_FOUND: it is gone.
  Task<absl::Status> DeleteJob(std::string name, CancelToken* cancel);
  Task<absl::StatusOr<nlohmann::json>> ListJobs(CancelToken* cancel);
  Task<absl::StatusOr<nlohmann::json>> ListPods(std::string job_name, CancelToken* cancel);
  // Events about Jobs since `version`, as they come, until the server ends it (OK) or the connection breaks.
  // OUT_OF_RANGE: the version is too old, only a list helps. Tried once.
  Task<absl::Status> WatchJobs(
      std::string version,
      std::function<void(const std::string& type, const nlohmann::json& object)> on_event,
      CancelToken* cancel);

 private:
  HttpRequest Prepare(const std::string& method, const std::string& path, std::string body) const;
  Task<absl::StatusOr<std::string>> Send(const char* what, HttpRequest request, CancelToken* cancel);
  Task<absl::StatusOr<nlohmann::json>> SendForJson(const char* what, HttpRequest request,
                                                   CancelToken* cancel);
  std::string JobsPath() const;

  const KubernetesAccess access_;
  EventLoop* const loop_;
  HttpClient* const http_;
  const std::function<double()> random_;
};

}  // namespace ip2p::training_coordinator
