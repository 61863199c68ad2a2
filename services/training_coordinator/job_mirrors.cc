#include "services/training_coordinator/job_mirrors.h"

#include <set>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/status_macros.h"
#include "common/object_store/object_tree.h"

namespace ip2p::training_coordinator {
namespace {

constexpr char kState[] = "state.json";
constexpr char kPinned[] = "pinned";

std::string FolderOf(const std::string& key) { return key.substr(0, key.rfind('/')); }

}  // namespace

ObjectUrl JobMirrors::Checkpoint(const std::string& job_id, int64_t step) const {
  return url_.Child(job_id).Child(absl::StrFormat("checkpoints/step-%09d", step));
}

absl::Status JobMirrors::Pin(const std::string& job_id, int64_t step) const {
  const ObjectUrl checkpoint = Checkpoint(job_id, step);
  // Looked at before, so that nothing is left beside one that never was there, and after: it may just have
  // been cleared away.
  IP2P_RETURN_IF_ERROR(store_->Head(checkpoint.Child(kState)).status());
  IP2P_RETURN_IF_ERROR(store_->Put(checkpoint.Child(kPinned), "").status());
  return store_->Head(checkpoint.Child(kState)).status();
}

absl::Status JobMirrors::Unpin(const std::string& job_id, int64_t step) const {
  return store_->Delete(Checkpoint(job_id, step).Child(kPinned));
}

absl::Status JobMirrors::CopyExport(const std::string& job_id, int64_t step,
                                    const std::string& folder) const {
  const ObjectUrl exported = url_.Child(job_id).Child(absl::StrFormat("export/step-%09d", step));
  IP2P_ASSIGN_OR_RETURN(const std::vector<ListedObject> objects, store_->List(exported));
  if (objects.empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat(exported.text(), " holds no object; wants the export of the checkpoint"));
  }
  IP2P_ASSIGN_OR_RETURN(const std::vector<FileTransfer> files, FilesFor(objects, exported, folder));
  return store_->Download(files);
}

absl::Status JobMirrors::DeleteJob(const std::string& job_id) const {
  const ObjectUrl job = url_.Child(job_id);
  IP2P_ASSIGN_OR_RETURN(const std::vector<ListedObject> objects, store_->List(job));
  std::set<std::string> pinned;
  for (const ListedObject& object : objects) {
    if (object.key.ends_with(absl::StrCat("/", kPinned))) pinned.insert(FolderOf(object.key));
  }
  for (const ListedObject& object : objects) {
    if (!pinned.contains(FolderOf(object.key)))
      IP2P_RETURN_IF_ERROR(store_->Delete({job.bucket, object.key}));
  }
  return absl::OkStatus();
}

}  // namespace ip2p::training_coordinator
