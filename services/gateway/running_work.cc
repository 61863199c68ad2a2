#include "services/gateway/running_work.h"

#include "absl/strings/str_cat.h"

namespace ip2p::gateway {

RunningWork::Scope::Scope(RunningWork& work, const std::string& caller, const std::string& id,
                          Departure* departure)
    : work_(work), key_(caller, id) {
  absl::MutexLock lock(&work_.mutex_);
  if (!work_.departures_.emplace(key_, departure).second) {
    status_ = absl::AlreadyExistsError(absl::StrCat("x-request-id ", id, " is under way; wants another one"));
  }
}

RunningWork::Scope::~Scope() {
  absl::MutexLock lock(&work_.mutex_);
  if (status_.ok()) work_.departures_.erase(key_);
}

absl::Status RunningWork::Cancel(const std::string& caller, const std::string& id) {
  absl::MutexLock lock(&mutex_);
  const auto found = departures_.find({caller, id});
  if (found == departures_.end()) {
    return absl::NotFoundError(absl::StrCat("no edit or sweep ", id, " is under way"));
  }
  found->second->Announce();
  return absl::OkStatus();
}

}  // namespace ip2p::gateway
