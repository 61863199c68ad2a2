// Workers as the pods of an Indexed Job, one Job a launch, named by it. They outlive the coordinator because
// they are the cluster's; the next one finds them by name.
//
// Requests are made on a thread of its own; the methods only read and write what is known here.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "common/http/curl_http_client.h"
#include "common/http/loop_thread.h"
#include "services/training_coordinator/job_folders.h"
#include "services/training_coordinator/kubernetes_api.h"
#include "services/training_coordinator/kubernetes_manifest.h"
#include "services/training_coordinator/launcher.h"

namespace ip2p::training_coordinator {

struct KubernetesOptions {
  KubernetesAccess access;
  std::string ca_file;  // PEM; empty: the system's
  PodOptions pods;
};

class KubernetesLauncher final : public Launcher {
 public:
  explicit KubernetesLauncher(KubernetesOptions options);
  ~KubernetesLauncher() override;  // gives up its requests; the Jobs stay

  void SetAddress(const std::string& address) override;
  void Launch(const LaunchOrder& order) override;
  void Adopt(const LaunchOrder& order) override;
  LaunchState Look(const LaunchKey& key) override;
  void Stop(const LaunchKey& key, bool kill) override;
  void Forget(const LaunchKey& key) override;

 private:
  struct Group {
    LaunchState state;
    bool deleting = false;  // a request for it is under way, or was granted
  };

  // All on the loop's thread.
  void Begin(Task<void> task);
  Task<void> Follow();  // lists and watches, again and again
  Task<void> Counted(Task<void> task);
  Task<void> Create(LaunchKey key, std::string manifest);
  Task<void> Check(LaunchKey key);
  Task<void> Delete(LaunchKey key);
  Task<void> Ended(LaunchKey key);
  Task<absl::StatusOr<std::string>> List();  // gives the version to watch from
  void OnJob(const std::string& type, const nlohmann::json& job);
  // Changes what is known of a launch that is still asked about.
  template <typename Change>
  void Update(const LaunchKey& key, Change change);
  std::vector<LaunchKey> Known();

  const KubernetesOptions options_;
  const JobFolders folders_;

  absl::Mutex mutex_;
  std::string address_ ABSL_GUARDED_BY(mutex_);
  std::map<LaunchKey, Group> groups_ ABSL_GUARDED_BY(mutex_);

  LoopThread loop_;
  // The loop's thread's.
  CancelToken cancel_;
  WaitGroup tasks_;
  std::set<LaunchKey> creating_;
  std::unique_ptr<CurlHttpClient> http_;
  std::unique_ptr<KubernetesApi> api_;
};

}  // namespace ip2p::training_coordinator
