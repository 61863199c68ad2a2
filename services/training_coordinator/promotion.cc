#include "services/training_coordinator/promotion.h"

#include <filesystem>
#include <fstream>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/json.h"
#include "common/base/sha256.h"
#include "common/base/status_macros.h"
#include "common/storage/atomic_file.h"
#include "common/storage/io_error.h"
#include "common/storage/read_file.h"

namespace ip2p::training_coordinator {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxStateBytes = 4 << 20;
constexpr size_t kChunk = 1 << 20;

absl::StatusOr<std::string> DigestOf(const fs::path& path, const std::string& name) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return absl::DataLossError(absl::StrCat(name, " is missing from the checkpoint"));
  Sha256 digest;
  std::vector<char> chunk(kChunk);
  while (file.read(chunk.data(), kChunk) || file.gcount() > 0) {
    digest.Update({chunk.data(), static_cast<size_t>(file.gcount())});
  }
  if (file.bad()) return absl::UnavailableError(absl::StrCat(name, " can't be read"));
  return digest.Finish();
}

bool StaysInside(const std::string& name) {
  const fs::path path(name);
  if (name.empty() || !path.is_relative()) return false;
  for (const fs::path& part : path) {
    if (part == ".." || part == ".") return false;
  }
  return true;
}

// Links where the file system can: the files never change. Only regular files and folders.
absl::Status CopyTree(const fs::path& from, const fs::path& to) {
  std::error_code error;
  for (fs::recursive_directory_iterator it(from, error), end; !error && it != end; it.increment(error)) {
    const fs::path target = to / fs::relative(it->path(), from);
    if (it->is_directory()) {
      fs::create_directory(target, error);
    } else if (it->is_regular_file() && !it->is_symlink()) {
      fs::create_hard_link(it->path(), target, error);
      if (error) {
        error.clear();
        fs::copy_file(it->path(), target, error);
      }
    } else {
      return absl::DataLossError("the export holds something that is no file; wants files and folders");
    }
  }
  return error ? IoError(error.value(), "the export can't be copied") : absl::OkStatus();
}

}  // namespace

absl::Status CheckDigests(const std::string& checkpoint_folder) {
  const fs::path folder(checkpoint_folder);
  const absl::StatusOr<std::string> text =
      ReadFile((folder / "state.json").string(), "state.json", kMaxStateBytes);
  if (!text.ok()) return absl::DataLossError("state.json of the checkpoint can't be read");
  const auto json = nlohmann::json::parse(*text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("files") || !json["files"].is_object() || json["files"].empty()) {
    return absl::DataLossError("state.json of the checkpoint is damaged; wants an object with files");
  }
  for (const auto& [name, entry] : json["files"].items()) {
    if (!StaysInside(name) || !entry.is_object() || !entry.contains("sha256") ||
        !entry["sha256"].is_string()) {
      return absl::DataLossError(
          "state.json of the checkpoint is damaged; wants a sha256 for each file in it");
    }
    IP2P_ASSIGN_OR_RETURN(const std::string digest, DigestOf(folder / name, name));
    if (digest != entry["sha256"].get<std::string>()) {
      return absl::DataLossError(
          absl::StrCat(name, " of the checkpoint is damaged; its SHA-256 is another one"));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> Promotion::Pin(const CheckpointRecord& checkpoint) const {
  const absl::Status here = folders_->Pin(checkpoint.job_id, checkpoint.step);
  if (!here.ok() && !absl::IsNotFound(here)) return here;
  const absl::Status there =
      mirrors_ == nullptr ? absl::NotFoundError("") : mirrors_->Pin(checkpoint.job_id, checkpoint.step);
  if (!there.ok() && !absl::IsNotFound(there)) {
    if (here.ok() && checkpoint.promoted_to.empty())
      folders_->Unpin(checkpoint.job_id, checkpoint.step).IgnoreError();
    return there;
  }
  if (here.ok() || there.ok()) return here.ok();
  return absl::DataLossError(absl::StrCat("the checkpoint of step ", checkpoint.step,
                                          " is gone from the disk",
                                          mirrors_ == nullptr ? "" : " and from its mirror"));
}

void Promotion::Unpin(const CheckpointRecord& checkpoint) const {
  folders_->Unpin(checkpoint.job_id, checkpoint.step).IgnoreError();
  if (mirrors_ != nullptr) mirrors_->Unpin(checkpoint.job_id, checkpoint.step).IgnoreError();
}

absl::Status Promotion::Publish(const CheckpointRecord& checkpoint, bool is_here,
                                const std::string& model) const {
  const fs::path exported = folders_->Export(checkpoint.job_id, checkpoint.step);
  std::error_code error;
  if (is_here && !fs::is_directory(exported, error)) {
    return absl::FailedPreconditionError(absl::StrCat("the checkpoint of step ", checkpoint.step,
                                                      " has no export; wants one that was made with it"));
  }
  const std::string target = folders_->Model(model);
  IP2P_ASSIGN_OR_RETURN(AtomicFolder folder, AtomicFolder::Create(target, /*replaces=*/true));
  IP2P_RETURN_IF_ERROR(is_here ? CopyTree(exported, folder.path())
                               : mirrors_->CopyExport(checkpoint.job_id, checkpoint.step, folder.path()));
  return fs::exists(target, error) ? folder.Replace() : folder.Publish();
}

absl::StatusOr<Promoted> Promotion::Promote(const std::string& job_id, std::optional<int64_t> step,
                                            const std::string& model, absl::Time deadline) {
  IP2P_ASSIGN_OR_RETURN(CheckpointRecord checkpoint, coordinator_->FindCheckpoint(job_id, step));
  if (server_ == nullptr) {
    return absl::FailedPreconditionError("no edit server is configured; wants edit_server to be set");
  }
  // Asked first, so that a name nobody serves changes nothing.
  IP2P_ASSIGN_OR_RETURN(const std::string name, server_->NameOf(model, deadline));
  if (!StaysInside(name)) return absl::InternalError("the edit server tells a name that is none");

  absl::MutexLock lock(&one_at_a_time_);
  // Pinned before it is read: it must not be cleared away meanwhile.
  IP2P_ASSIGN_OR_RETURN(const bool is_here, Pin(checkpoint));
  absl::Status published;
  if (is_here) published = CheckDigests(folders_->Checkpoint(job_id, checkpoint.step));
  if (published.ok()) published = Publish(checkpoint, is_here, name);
  if (!published.ok()) {
    if (checkpoint.promoted_to.empty()) Unpin(checkpoint);
    return published;
  }
  IP2P_ASSIGN_OR_RETURN(checkpoint, coordinator_->NotePromotion(job_id, checkpoint.step, name));
  IP2P_RETURN_IF_ERROR(server_->Reload(name, name, deadline));
  return Promoted{std::move(checkpoint), name};
}

}  // namespace ip2p::training_coordinator
