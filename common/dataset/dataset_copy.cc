#include "common/dataset/dataset_copy.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/log.h"
#include "common/base/sha256.h"
#include "common/base/status_macros.h"
#include "common/dataset/json_text.h"
#include "common/dataset/object_partition.h"
#include "common/dataset/partition_writer.h"
#include "common/object_store/cache_folder.h"
#include "common/object_store/object_tree.h"
#include "common/storage/append_file.h"
#include "common/storage/io_error.h"
#include "common/storage/make_folder.h"
#include "common/storage/temp_file.h"

namespace ip2p {
namespace {

namespace fs = std::filesystem;

constexpr const char* kRecord = ".objects.jsonl";
constexpr const char* kRunFile = "run.json";
constexpr const char* kArchive = ".tmp-object-";  // a prompt's archive on its way
constexpr size_t kBatch = 64;                     // objects between two notes of what is done
constexpr size_t kDigits = 16;

// A dataset's copy being brought up to date, under its lock.
class Copy {
 public:
  Copy(ObjectStore& store, const ObjectUrl& url, std::string folder)
      : store_(store), url_(url), folder_(std::move(folder)) {}

  absl::Status Update(const DatasetCopyOptions& options) {
    IP2P_ASSIGN_OR_RETURN(const std::vector<ListedObject> objects, store_.List(url_));
    if (objects.empty())
      return absl::NotFoundError(absl::StrCat(url_.text(), " holds no object; wants a dataset"));
    IP2P_RETURN_IF_ERROR(MakeFolder(folder_, "a folder of the cache"));
    // Of prompts alone: files that were half copied are gone on with.
    IP2P_RETURN_IF_ERROR(RemoveStale(folder_, {kAllPrompts.begin, kAllPrompts.end - 1}));
    IP2P_RETURN_IF_ERROR(ReadRecord());
    IP2P_ASSIGN_OR_RETURN(const Plan plan, MakePlan(objects, options.max_bytes));
    IP2P_RETURN_IF_ERROR(RemoveGone(plan.there));
    const std::vector<ListedObject>& wanted = plan.wanted;
    Tell(plan, 0, options);
    for (size_t i = 0; i < wanted.size(); i += kBatch) {
      const size_t size = std::min(kBatch, wanted.size() - i);
      IP2P_RETURN_IF_ERROR(CopyBatch(std::span(wanted).subspan(i, size)));
      Tell(plan, i + size, options);
    }
    return record_->Sync();
  }

 private:
  struct Plan {
    std::vector<ListedObject> wanted;
    std::map<std::string, std::string> there;  // ETags by name
    int64_t prompts = 0;
    std::string left_out;  // the first object that is not copied for its size
  };

  std::string In(const std::string& name) const { return absl::StrCat(folder_, "/", name); }

  // `objects` by key.
  absl::StatusOr<Plan> MakePlan(std::span<const ListedObject> objects, int64_t max_bytes) const {
    Plan plan;
    std::string folder;  // of the object before
    int64_t bytes = 0;
    for (const ListedObject& object : objects) {
      if (IsFolderMarker(object)) continue;
      IP2P_ASSIGN_OR_RETURN(const std::string name, PathBelow(url_, object.key));
      if (name.starts_with(".")) continue;  // leases, and what others keep for themselves
      plan.there[name] = object.etag;
      const std::string home = PromptFolderOf(name);
      if (!home.empty()) {
        plan.prompts += home == folder ? 0 : 1;
        folder = home;
        if (plan.left_out.empty() && object.size > max_bytes - bytes) plan.left_out = name;
        if (!plan.left_out.empty()) continue;
        bytes += object.size;
      }
      const auto known = copied_.find(name);
      if (known == copied_.end() || known->second != object.etag) plan.wanted.push_back(object);
    }
    // First what tells how to read the rest.
    const std::string run = url_.Child(kRunFile).key;
    std::stable_partition(plan.wanted.begin(), plan.wanted.end(),
                          [&run](const ListedObject& object) { return object.key == run; });
    return plan;
  }

  // The folder that an object belongs to; empty: none.
  static std::string PromptFolderOf(const std::string& name) {
    if (const size_t slash = name.find('/'); slash != std::string::npos) return name.substr(0, slash);
    return FolderOf(name).value_or("");
  }

  void Tell(const Plan& plan, size_t done, const DatasetCopyOptions& options) const {
    if (!options.progress) return;
    DatasetCopyProgress progress{.done = static_cast<int64_t>(done),
                                 .objects = static_cast<int64_t>(plan.wanted.size()),
                                 .prompts = plan.prompts,
                                 .next = plan.left_out};
    const std::string prefix = url_.prefix();
    for (size_t i = done; i < plan.wanted.size(); ++i) {
      const std::string name = plan.wanted[i].key.substr(prefix.size());
      if (name == kRunFile) continue;
      if (progress.next.empty() || name < progress.next) progress.next = name;
      break;
    }
    options.progress(progress);
  }

  // The folder that an object becomes, when it is a prompt's archive.
  static std::optional<std::string> FolderOf(const std::string& name) {
    const std::optional<int64_t> index = PromptOfObject(name);
    if (!index.has_value() || absl::StrContains(name, "/")) return std::nullopt;
    return PromptFolderName(*index);
  }

  absl::Status ReadRecord() {
    IP2P_ASSIGN_OR_RETURN(AppendFile record, AppendFile::Open(In(kRecord), kRecord, /*exclusive=*/false));
    record_.emplace(std::move(record));
    std::string text(static_cast<size_t>(record_->size()), '\0');
    IP2P_RETURN_IF_ERROR(ReadFully(record_->fd(), 0, std::as_writable_bytes(std::span(text))));
    size_t whole = 0;
    for (size_t end = text.find('\n'); end != std::string::npos; end = text.find('\n', whole)) {
      const absl::StatusOr<nlohmann::json> line =
          ParseJsonObject(std::string_view(text).substr(whole, end - whole));
      whole = end + 1;
      if (!line.ok()) continue;  // its object is copied again
      const std::string etag = TextOr(*line, "etag").value_or("");
      const std::string name = TextOr(*line, "name").value_or("");
      if (etag.empty()) {
        copied_.erase(name);
      } else {
        copied_[name] = etag;
      }
    }
    return whole == text.size() ? absl::OkStatus() : record_->Truncate(static_cast<int64_t>(whole));
  }

  absl::Status Note(const std::string& name, const std::string& etag) {
    const nlohmann::ordered_json line = {{"name", name}, {"etag", etag}};
    IP2P_RETURN_IF_ERROR(
        record_->Append(line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n"));
    copied_[name] = etag;
    return absl::OkStatus();
  }

  absl::Status RemoveGone(const std::map<std::string, std::string>& there) {
    std::vector<std::string> gone;
    for (const auto& [name, etag] : copied_) {
      if (!there.contains(name)) gone.push_back(name);
    }
    for (const std::string& name : gone) {
      IP2P_RETURN_IF_ERROR(Note(name, ""));
      copied_.erase(name);
      std::error_code error;
      fs::remove_all(In(FolderOf(name).value_or(name)), error);
      if (error) return IoError(error.value(), absl::StrCat(name, " of the copy cannot be removed"));
    }
    return absl::OkStatus();
  }

  absl::Status CopyBatch(std::span<const ListedObject> objects) {
    IP2P_ASSIGN_OR_RETURN(std::vector<FileTransfer> files, FilesFor(objects, url_, folder_));
    for (FileTransfer& file : files) {
      const std::string name = fs::path(file.path).lexically_relative(folder_).generic_string();
      if (FolderOf(name).has_value()) file.path = In(kArchive + name);
    }
    IP2P_RETURN_IF_ERROR(store_.Download(files));
    for (size_t i = 0; i < objects.size(); ++i) {
      IP2P_ASSIGN_OR_RETURN(const std::string name, PathBelow(url_, objects[i].key));
      if (const std::optional<std::string> folder = FolderOf(name)) {
        IP2P_RETURN_IF_ERROR(Unpack(files[i].path, *folder));
      }
      IP2P_RETURN_IF_ERROR(Note(name, objects[i].etag));
    }
    return absl::OkStatus();
  }

  absl::Status Unpack(const std::string& archive, const std::string& folder) {
    const int fd = ::open(archive.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return IoError(errno, absl::StrCat(folder, ".tar cannot be read"));
    const absl::Cleanup close = [fd, &archive] {
      ::close(fd);
      ::unlink(archive.c_str());
    };
    const absl::StatusOr<std::vector<PromptFile>> files = UnpackPrompt(fd, folder);
    if (!files.ok()) {
      return absl::Status(files.status().code(), absl::StrCat(url_.text(), ": ", files.status().message()));
    }
    std::vector<FolderFile> views;
    views.reserve(files->size());
    for (const PromptFile& file : *files) views.push_back({file.name, file.bytes});
    std::error_code error;
    return fs::exists(In(folder), error) ? ReplaceFolder(folder_, folder, views)
                                         : PublishFolder(folder_, folder, views);
  }

  ObjectStore& store_;
  const ObjectUrl& url_;
  const std::string folder_;
  std::map<std::string, std::string> copied_;  // ETags by name
  std::optional<AppendFile> record_;
};

}  // namespace

std::string DatasetCopyFolder(const ObjectStore& store, const std::string& cache, const ObjectUrl& url) {
  const std::string digest =
      Sha256Hex(absl::StrCat(store.settings().endpoint, "\n", url.bucket, "\n", url.prefix()));
  return absl::StrCat(cache, "/", digest.substr(0, kDigits));
}

absl::StatusOr<std::string> LocalDatasetIn(ObjectStore& store, const std::string& cache, const ObjectUrl& url,
                                           const DatasetCopyOptions& options) {
  const std::string folder = DatasetCopyFolder(store, cache, url);
  const std::string lock_path = folder + ".lock";
  constexpr FileLock::Kind kind = FileLock::Kind::kExclusive;
  IP2P_ASSIGN_OR_RETURN(const FileLock lock,
                        options.wait ? FileLock::Take(lock_path, kind) : FileLock::Try(lock_path, kind));
  if (!lock.held()) {
    return absl::UnavailableError(
        absl::StrCat("another process copies ", url.text(), " to the same cache; try again"));
  }
  IP2P_RETURN_IF_ERROR(Copy(store, url, folder).Update(options));
  return folder;
}

absl::StatusOr<std::string> LocalDataset(const std::string& path) {
  if (!IsObjectUrl(path)) return path;
  IP2P_ASSIGN_OR_RETURN(const ObjectUrl url, ParseObjectUrl(path));
  IP2P_ASSIGN_OR_RETURN(ObjectStore* const store, ObjectStore::Shared());
  IP2P_ASSIGN_OR_RETURN(const std::string cache, CacheFolder("datasets"));
  const auto tell = [&url](const DatasetCopyProgress& progress) {
    if (progress.done == 0) return;
    Log(LogLevel::kInfo, "a dataset is copied to the cache",
        {{"url", url.text()}, {"done", progress.done}, {"objects", progress.objects}});
  };
  return LocalDatasetIn(*store, cache, url, {.progress = tell});
}

absl::Status SendBack(const std::string& path, const std::string& folder, const std::string& name) {
  if (!IsObjectUrl(path)) return absl::OkStatus();
  IP2P_ASSIGN_OR_RETURN(const ObjectUrl url, ParseObjectUrl(path));
  IP2P_ASSIGN_OR_RETURN(ObjectStore* const store, ObjectStore::Shared());
  const FileTransfer file{.path = absl::StrCat(folder, "/", name), .url = url.Child(name)};
  return store->Upload({&file, 1});
}

}  // namespace ip2p
