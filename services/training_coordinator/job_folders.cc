#include "services/training_coordinator/job_folders.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/random.h"
#include "common/base/sha256.h"
#include "common/base/status_macros.h"
#include "common/storage/atomic_file.h"
#include "common/storage/io_error.h"
#include "common/storage/make_folder.h"

namespace ip2p::training_coordinator {
namespace {

namespace fs = std::filesystem;

constexpr char kPinned[] = "pinned";

absl::Status Remove(const fs::path& path, const char* name) {
  std::error_code error;
  fs::remove_all(path, error);
  return error ? IoError(error.value(), absl::StrCat(name, " cannot be deleted")) : absl::OkStatus();
}

}  // namespace

std::string JobFolders::Folder(const std::string& job_id) const {
  return absl::StrCat(data_dir_, "/jobs/", job_id);
}
std::string JobFolders::TokenFile(const std::string& job_id) const { return Folder(job_id) + "/token"; }
std::string JobFolders::LogFolder(const std::string& job_id) const { return Folder(job_id) + "/logs"; }
std::string JobFolders::Checkpoint(const std::string& job_id, int64_t step) const {
  return absl::StrFormat("%s/checkpoints/step-%09d", Folder(job_id), step);
}
std::string JobFolders::Export(const std::string& job_id, int64_t step) const {
  return absl::StrFormat("%s/export/step-%09d", Folder(job_id), step);
}
std::string JobFolders::Model(const std::string& name) const {
  return absl::StrCat(data_dir_, "/models/", name);
}
std::string JobFolders::StoreFile() const { return data_dir_ + "/coordinator.sqlite"; }

absl::Status JobFolders::Prepare() const {
  IP2P_RETURN_IF_ERROR(MakeFolder(data_dir_, "the data folder"));
  IP2P_RETURN_IF_ERROR(MakeFolder(data_dir_ + "/jobs", "jobs/"));
  return MakeFolder(data_dir_ + "/models", "models/");
}

absl::StatusOr<std::string> JobFolders::MakeJob(const std::string& job_id) const {
  IP2P_RETURN_IF_ERROR(MakeFolder(Folder(job_id), "the job's folder"));
  IP2P_RETURN_IF_ERROR(MakeFolder(LogFolder(job_id), "the job's logs/"));
  const std::string token = absl::StrCat(RandomRequestId(), RandomRequestId());
  // Made with its mode, so that nobody else can open it in between. The job isn't acknowledged yet: a file
  // that a crash left half written is written anew under another job id.
  const int fd = open(TokenFile(job_id).c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return IoError(errno, "the job's token cannot be made");
  const absl::Cleanup closer = [fd] { close(fd); };
  if (write(fd, token.data(), token.size()) != static_cast<ssize_t>(token.size()) || fsync(fd) != 0) {
    return IoError(errno, "the job's token cannot be written");
  }
  return Sha256Hex(token);
}

absl::Status JobFolders::Pin(const std::string& job_id, int64_t step) const {
  return WriteFileAtomically(absl::StrCat(Checkpoint(job_id, step), "/", kPinned), "");
}

absl::Status JobFolders::Unpin(const std::string& job_id, int64_t step) const {
  return Remove(fs::path(Checkpoint(job_id, step)) / kPinned, kPinned);
}

absl::Status JobFolders::DeleteJob(const std::string& job_id) const {
  const fs::path folder = Folder(job_id);
  bool keeps_some = false;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder / "checkpoints", error)) {
    if (fs::exists(entry.path() / kPinned)) {
      keeps_some = true;
    } else {
      IP2P_RETURN_IF_ERROR(Remove(entry.path(), "a checkpoint"));
    }
  }
  if (!keeps_some) return Remove(folder, "the job's folder");
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    if (entry.path().filename() != "checkpoints")
      IP2P_RETURN_IF_ERROR(Remove(entry.path(), "the job's files"));
  }
  return absl::OkStatus();
}

}  // namespace ip2p::training_coordinator
