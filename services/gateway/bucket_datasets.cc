#include "services/gateway/bucket_datasets.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/base/log.h"
#include "common/base/status_macros.h"
#include "common/dataset/object_partition.h"
#include "common/rpc/status.h"

namespace ip2p::gateway {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(3);
constexpr int kMaxObjects = 1000;  // of a folder, looked at; what one request tells

// Whether a name below a folder is one that datasets have: "run.json", "0000012.tar", "first/prompt.json".
bool IsOfDataset(const std::string& name) {
  if (name == "run.json" || name == "seeds.json" || PromptOfObject(name).has_value()) return true;
  const size_t slash = name.find('/');
  return slash != std::string::npos && name.substr(slash) == "/prompt.json";
}

}  // namespace

BucketDatasets::~BucketDatasets() {
  Stop();
  std::thread asking;
  {
    const absl::MutexLock lock(&mutex_);
    asking = std::move(thread_);
  }
  if (asking.joinable()) asking.join();
}

void BucketDatasets::Stop() {
  {
    const absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  store_->Cancel();
}

void BucketDatasets::AskAgain() {
  if (asking_ || stopping_ || absl::Now() < ask_again_at_) return;
  if (thread_.joinable()) thread_.join();  // it is done
  asking_ = true;
  thread_ = std::thread([this] { Ask(); });
}

void BucketDatasets::Ask() {
  std::set<std::string> known;
  {
    const absl::MutexLock lock(&mutex_);
    known = names_;
  }
  absl::StatusOr<std::set<std::string>> found = FindDatasets(known);
  const absl::MutexLock lock(&mutex_);
  if (found.ok()) {
    names_ = *std::move(found);
    listed_ = true;
    fault_ = absl::OkStatus();
  } else {
    if (fault_.ok() && !stopping_)
      Log(LogLevel::kWarning, "datasets can't be listed", {{"status", found.status().ToString()}});
    // Always this code: the store's own may tell a browser that its login is missing.
    fault_ =
        WithRetryAfter(absl::UnavailableError(absl::StrCat("the datasets at ", url_.text(),
                                                           " can't be listed: ", found.status().message())),
                       ask_again_after_);
  }
  ask_again_at_ = absl::Now() + ask_again_after_;
  asking_ = false;
}

absl::StatusOr<std::set<std::string>> BucketDatasets::FindDatasets(const std::set<std::string>& known) {
  IP2P_ASSIGN_OR_RETURN(std::vector<std::string> folders, store_->ListFolders(url_, kMaxDatasets));
  if (folders.size() > kMaxDatasets) folders.resize(kMaxDatasets);
  std::set<std::string> found;
  for (std::string& name : folders) {
    if (!IsDatasetName(name)) continue;
    if (known.count(name) == 0) {
      IP2P_ASSIGN_OR_RETURN(const bool is_dataset, IsDataset(name));
      if (!is_dataset) continue;
    }
    found.insert(std::move(name));
  }
  return found;
}

absl::StatusOr<bool> BucketDatasets::IsDataset(const std::string& name) {
  const ObjectUrl url = url_.Child(name);
  const size_t prefix = url.prefix().size();
  bool found = false;
  int objects = 0;
  const auto enough = [&](const ListedObject& object) {
    found = object.key.size() > prefix && IsOfDataset(object.key.substr(prefix));
    return found || ++objects == kMaxObjects;
  };
  IP2P_RETURN_IF_ERROR(store_->List(url, "", enough).status());
  return found;
}

absl::StatusOr<std::vector<std::string>> BucketDatasets::List() {
  const absl::MutexLock lock(&mutex_);
  AskAgain();
  auto done = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return !asking_; };
  mutex_.AwaitWithTimeout(absl::Condition(&done), kPatience);
  if (!fault_.ok()) return fault_;
  if (!listed_) return absl::UnavailableError(absl::StrCat(url_.text(), " does not answer yet; try again"));
  return std::vector<std::string>(names_.begin(), names_.end());
}

absl::StatusOr<std::string> BucketDatasets::FolderOf(const std::string& name) {
  if (!IsDatasetName(name)) return absl::NotFoundError("no such dataset");
  bool known = false;
  {
    const absl::MutexLock lock(&mutex_);
    known = names_.count(name) > 0;
    if (known) AskAgain();
  }
  if (!known) {
    IP2P_RETURN_IF_ERROR(List().status());
    const absl::MutexLock lock(&mutex_);
    if (names_.count(name) == 0) return absl::NotFoundError("no such dataset");
  }
  return DatasetCopyFolder(*store_, cache_, url_.Child(name));
}

absl::Status BucketDatasets::Update(const std::string& name, const Grew& grew) {
  const ObjectUrl url = url_.Child(name);
  const absl::Status status =
      LocalDatasetIn(*store_, cache_, url, {.progress = grew, .wait = false, .max_bytes = copy_bytes_})
          .status();
  if (status.ok() || absl::IsNotFound(status)) return status;
  return absl::UnavailableError(absl::StrCat(url.text(), " can't be copied: ", status.message()));
}

}  // namespace ip2p::gateway
