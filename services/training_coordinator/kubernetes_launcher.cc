#include "services/training_coordinator/kubernetes_launcher.h"

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "common/base/json.h"
#include "common/base/log.h"
#include "common/base/random.h"

namespace ip2p::training_coordinator {
namespace {

using Json = nlohmann::json;

constexpr absl::Duration kBetweenWatches = absl::Milliseconds(500);  // a server that ends each at once
constexpr absl::Duration kAfterFault = absl::Seconds(5);

double RandomShare() { return RandomUint32() / 4294967296.0; }

std::string VersionOf(const Json& object) {
  const Json metadata = object.value("metadata", Json::object());
  return metadata.is_object() && metadata.contains("resourceVersion") &&
                 metadata["resourceVersion"].is_string()
             ? metadata["resourceVersion"].get<std::string>()
             : "";
}

Task<void> NotifyAfter(WaitGroup* tasks, absl::Notification* done) {
  co_await tasks->Wait();
  done->Notify();
}

}  // namespace

KubernetesLauncher::KubernetesLauncher(KubernetesOptions options)
    : options_(std::move(options)), folders_(options_.pods.data_dir) {
  loop_.Call([this] {
    http_ = std::make_unique<CurlHttpClient>(&loop_.loop(), CurlHttpOptions{.ca_file = options_.ca_file});
    api_ = std::make_unique<KubernetesApi>(options_.access, &loop_.loop(), http_.get(), RandomShare);
    Begin(Follow());
  });
}

KubernetesLauncher::~KubernetesLauncher() {
  absl::Notification over;
  loop_.Post([this, &over] {
    cancel_.Cancel();
    Spawn(NotifyAfter(&tasks_, &over));
  });
  over.WaitForNotification();
  loop_.Call([this] {
    api_.reset();
    http_.reset();
  });
}

void KubernetesLauncher::Begin(Task<void> task) {
  tasks_.Add();
  Spawn(Counted(std::move(task)));
}

Task<void> KubernetesLauncher::Counted(Task<void> task) {
  co_await std::move(task);
  tasks_.Done();
}

template <typename Change>
void KubernetesLauncher::Update(const LaunchKey& key, Change change) {
  absl::MutexLock lock(&mutex_);
  const auto found = groups_.find(key);
  if (found != groups_.end()) change(found->second);
}

std::vector<LaunchKey> KubernetesLauncher::Known() {
  absl::MutexLock lock(&mutex_);
  std::vector<LaunchKey> keys;
  for (const auto& [key, group] : groups_) keys.push_back(key);
  return keys;
}

void KubernetesLauncher::SetAddress(const std::string& address) {
  absl::MutexLock lock(&mutex_);
  address_ = address;
}

void KubernetesLauncher::Launch(const LaunchOrder& order) {
  std::string manifest;
  {
    absl::MutexLock lock(&mutex_);
    if (!groups_.emplace(order.key, Group()).second) return;
    manifest = JobManifest(order, options_.pods, address_, folders_.TokenFile(order.key.job_id));
  }
  loop_.Post([this, key = order.key, manifest = std::move(manifest)]() mutable {
    Begin(Create(std::move(key), std::move(manifest)));
  });
}

void KubernetesLauncher::Adopt(const LaunchOrder& order) {
  {
    absl::MutexLock lock(&mutex_);
    groups_.emplace(order.key, Group());
  }
  loop_.Post([this, key = order.key]() mutable { Begin(Check(std::move(key))); });
}

LaunchState KubernetesLauncher::Look(const LaunchKey& key) {
  absl::MutexLock lock(&mutex_);
  const auto found = groups_.find(key);
  return found == groups_.end() ? LaunchState{.gone = true} : found->second.state;
}

// The pods' own grace decides when they are ended.
void KubernetesLauncher::Stop(const LaunchKey& key, bool) {
  {
    absl::MutexLock lock(&mutex_);
    const auto found = groups_.find(key);
    if (found == groups_.end() || found->second.state.gone || found->second.deleting) return;
    found->second.deleting = true;
  }
  loop_.Post([this, copy = key]() mutable { Begin(Delete(std::move(copy))); });
}

void KubernetesLauncher::Forget(const LaunchKey& key) {
  absl::MutexLock lock(&mutex_);
  groups_.erase(key);
}

Task<void> KubernetesLauncher::Create(LaunchKey key, std::string manifest) {
  creating_.insert(key);
  const absl::Status created = co_await api_->CreateJob(std::move(manifest), &cancel_);
  creating_.erase(key);
  if (absl::IsCancelled(created)) co_return;
  Log(created.ok() ? LogLevel::kInfo : LogLevel::kWarning, "Job created",
      {{"job", key.job_id}, {"epoch", key.epoch}, {"status", created.ToString()}});
  // What is there already is this launch's: its name says so.
  if (created.ok() || absl::IsAlreadyExists(created)) co_return;
  const bool surely_not = !absl::IsUnavailable(created);
  Update(key, [&](Group& group) {
    group.state.error = created;
    group.state.gone = surely_not;
  });
}

Task<void> KubernetesLauncher::Check(LaunchKey key) {
  std::string name = JobName(key);
  const absl::StatusOr<Json> job = co_await api_->GetJob(std::move(name), &cancel_);
  if (job.ok()) {
    OnJob("MODIFIED", *job);
  } else if (absl::IsNotFound(job.status())) {
    Update(key, [](Group& group) { group.state.gone = true; });
  }  // else the next list asks again
}

Task<void> KubernetesLauncher::Delete(LaunchKey key) {
  std::string name = JobName(key);
  const absl::Status deleted = co_await api_->DeleteJob(std::move(name), &cancel_);
  if (deleted.ok() || absl::IsCancelled(deleted)) co_return;  // it goes when its pods have: the watch tells
  const bool gone = absl::IsNotFound(deleted);
  if (!gone) Log(LogLevel::kError, "Job not deleted", {{"job", key.job_id}, {"status", deleted.ToString()}});
  Update(key, [gone](Group& group) {
    group.deleting = false;
    group.state.gone = group.state.gone || gone;
  });
}

Task<void> KubernetesLauncher::Ended(LaunchKey key) {
  std::string name = JobName(key);
  const absl::StatusOr<Json> pods = co_await api_->ListPods(std::move(name), &cancel_);
  if (absl::IsCancelled(pods.status())) co_return;
  const std::map<int, int> exits = pods.ok() ? ExitsOf(*pods) : std::map<int, int>();
  Update(key, [&exits](Group& group) {
    group.state.exits = exits;
    group.state.gone = true;
  });
}

void KubernetesLauncher::OnJob(const std::string& type, const Json& job) {
  const std::optional<LaunchKey> key = KeyOf(job);
  if (!key) return;
  if (type == "DELETED") {
    Update(*key, [](Group& group) { group.state.gone = true; });
  } else if (HasEnded(job)) {
    bool first = false;
    Update(*key, [&first](Group& group) { first = !group.state.gone; });
    LaunchKey ended = *key;
    if (first) Begin(Ended(std::move(ended)));
  }
}

Task<absl::StatusOr<std::string>> KubernetesLauncher::List() {
  const absl::StatusOr<Json> list = co_await api_->ListJobs(&cancel_);
  if (!list.ok()) co_return list.status();
  std::set<LaunchKey> there;
  const Json items = list->value("items", Json::array());
  for (const Json& job : items) {
    if (const std::optional<LaunchKey> key = KeyOf(job)) there.insert(*key);
    OnJob("MODIFIED", job);
  }
  // The list may be older than a Job: what it lacks is asked for by name, unless it is still being made.
  const std::vector<LaunchKey> known = Known();
  for (const LaunchKey& key : known) {
    if (there.contains(key)) continue;
    LaunchKey missing = key;
    if (!creating_.contains(key)) Begin(Check(std::move(missing)));
  }
  co_return VersionOf(*list);
}

Task<void> KubernetesLauncher::Follow() {
  std::string version;
  while (!cancel_.cancelled()) {
    absl::Status status;
    if (version.empty()) {
      absl::StatusOr<std::string> listed = co_await List();
      status = listed.status();
      if (listed.ok()) version = *std::move(listed);
    }
    if (status.ok()) {
      std::function<void(const std::string&, const Json&)> on_event =
          [this, &version](const std::string& type, const Json& object) {
            if (const std::string now = VersionOf(object); !now.empty()) version = now;
            if (type != "BOOKMARK") OnJob(type, object);
          };
      std::string from = version;
      status = co_await api_->WatchJobs(std::move(from), std::move(on_event), &cancel_);
    }
    if (absl::IsCancelled(status)) co_return;
    const bool too_old = absl::IsOutOfRange(status);
    if (!status.ok()) Log(LogLevel::kWarning, "watch of Jobs lost", {{"status", status.ToString()}});
    // A break may hide a deletion: only a list tells for sure.
    if (!status.ok()) version.clear();
    const absl::Duration wait = status.ok() || too_old ? kBetweenWatches : kAfterFault;
    const absl::Status slept = co_await loop_.loop().Sleep(wait, &cancel_);
    if (!slept.ok()) co_return;
  }
}

}  // namespace ip2p::training_coordinator
