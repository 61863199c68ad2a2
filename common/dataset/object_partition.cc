#include "common/dataset/object_partition.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/base/log.h"
#include "common/base/status_macros.h"
#include "common/dataset/dataset_reader.h"
#include "common/dataset/object_lock.h"
#include "common/storage/tar.h"

namespace ip2p {
namespace {

constexpr const char* kRunFile = "run.json";
constexpr size_t kMaxRunBytes = 1 << 20;
constexpr size_t kMaxMemberBytes = 1 << 30;
constexpr int64_t kSevenDigits = 10'000'000;  // up to which the order of names is that of numbers
constexpr std::string_view kEnding = ".tar";

// What is finished of a share, by one list.
absl::StatusOr<std::set<int64_t>> FindFinished(ObjectStore& store, const ObjectUrl& url, Share share) {
  const bool in_order = share.end <= kSevenDigits;
  const std::string prefix = url.prefix();
  const std::string first = in_order ? absl::StrCat(prefix, PromptFolderName(share.begin)) : "";
  const std::string last = absl::StrCat(prefix, PromptFolderName(share.end));
  std::set<int64_t> finished;
  const auto beyond = [&](const ListedObject& object) { return in_order && object.key >= last; };
  IP2P_ASSIGN_OR_RETURN(const std::vector<ListedObject> objects, store.List(url, first, beyond));
  for (const ListedObject& object : objects) {
    const std::optional<int64_t> index = PromptOfObject(std::string_view(object.key).substr(prefix.size()));
    if (index.has_value() && *index >= share.begin && *index < share.end) finished.insert(*index);
  }
  return finished;
}

class ObjectPartition final : public PartitionWriter {
 public:
  ObjectPartition(ObjectStore& store, ObjectUrl url, Share share, std::unique_ptr<PartitionLock> lock,
                  std::set<int64_t> finished)
      : store_(store),
        url_(std::move(url)),
        share_(share),
        lock_(std::move(lock)),
        finished_(std::move(finished)) {}

  // OK when there is none.
  absl::Status CheckKnown(const RunSettings& known) const {
    IP2P_ASSIGN_OR_RETURN(const std::optional<RunSettings> found, ReadRun());
    return found.has_value() ? CompareKnownSettings(*found, known) : absl::OkStatus();
  }

  absl::Status Agree(const RunSettings& settings) override {
    if (share_.begin >= share_.end) return CheckKnown(settings);
    IP2P_ASSIGN_OR_RETURN(std::optional<RunSettings> found, ReadRun());
    if (!found.has_value()) {
      if (!finished_.empty()) {
        return absl::FailedPreconditionError(absl::StrCat(
            url_.text(), " holds prompts and no run.json; wants a new prefix, or one of this system's"));
      }
      IP2P_ASSIGN_OR_RETURN(const bool written, Write(kRunFile, RunFileText(settings)));
      if (written) return absl::OkStatus();
      IP2P_ASSIGN_OR_RETURN(found, ReadRun());
    }
    if (!found.has_value()) {
      return absl::UnavailableError(absl::StrCat(url_.Child(kRunFile).text(), " comes and goes"));
    }
    return CompareSettings("the dataset", *found, settings);
  }

  absl::StatusOr<bool> Finished(int64_t prompt_index) const override {
    return finished_.contains(prompt_index);
  }

  absl::Status Publish(int64_t prompt_index, const PromptContents& contents) override {
    IP2P_ASSIGN_OR_RETURN(const std::vector<PromptFile> files, FilesOfPrompt(contents));
    std::vector<FolderFile> views;
    views.reserve(files.size());
    for (const PromptFile& file : files) views.push_back({file.name, file.bytes});
    return Publish(prompt_index, views);
  }

  absl::Status Publish(int64_t prompt_index, std::span<const FolderFile> files) override {
    IP2P_RETURN_IF_ERROR(lock_->Held());
    IP2P_ASSIGN_OR_RETURN(std::string bytes, PackPrompt(PromptFolderName(prompt_index), files));
    // One that is there has the same bytes: an earlier try's, or those of who took over for a while.
    IP2P_RETURN_IF_ERROR(Write(PromptObjectName(prompt_index), std::move(bytes)).status());
    finished_.insert(prompt_index);
    return absl::OkStatus();
  }

  absl::Status Held() const override { return lock_->Held(); }

 private:
  absl::StatusOr<std::optional<RunSettings>> ReadRun() const {
    const absl::StatusOr<ObjectBytes> run = store_.Get(url_.Child(kRunFile), kMaxRunBytes);
    if (absl::IsNotFound(run.status())) return std::nullopt;
    if (!run.ok()) return run.status();
    return ParseRunFile(run->bytes);
  }

  // False when there is one already.
  absl::StatusOr<bool> Write(const std::string& name, std::string bytes) const {
    const ObjectUrl object = url_.Child(name);
    absl::Status status = store_.Put(object, bytes, {.absent = true}).status();
    if (absl::IsAborted(status)) return false;
    // A store without conditions.
    if (absl::IsUnimplemented(status)) status = store_.Put(object, std::move(bytes)).status();
    if (!status.ok()) return status;
    return true;
  }

  ObjectStore& store_;
  const ObjectUrl url_;
  const Share share_;
  const std::unique_ptr<PartitionLock> lock_;
  std::set<int64_t> finished_;
};

}  // namespace

std::string PromptObjectName(int64_t prompt_index) { return PromptFolderName(prompt_index).append(kEnding); }

std::optional<int64_t> PromptOfObject(std::string_view name) {
  if (const size_t slash = name.find('/'); slash != std::string_view::npos) {
    return PromptIndexOf(name.substr(0, slash));
  }
  if (!name.ends_with(kEnding)) return std::nullopt;
  return PromptIndexOf(name.substr(0, name.size() - kEnding.size()));
}

absl::StatusOr<std::string> PackPrompt(const std::string& folder, std::span<const FolderFile> files) {
  std::string bytes;
  TarWriter tar([&bytes](std::string_view piece) {
    bytes += piece;
    return absl::OkStatus();
  });
  for (const FolderFile& file : files) {
    IP2P_RETURN_IF_ERROR(tar.Add(absl::StrCat(folder, "/", file.name), file.bytes));
  }
  IP2P_RETURN_IF_ERROR(tar.Finish());
  return bytes;
}

absl::StatusOr<std::vector<PromptFile>> UnpackPrompt(int fd, const std::string& folder) {
  std::vector<PromptFile> files;
  TarReader reader(fd, folder + ".tar", kMaxMemberBytes);
  const std::string start = folder + "/";
  TarMember member;
  size_t bytes = 0;
  while (true) {
    IP2P_ASSIGN_OR_RETURN(const bool more, reader.Next(member));
    if (!more) return files;
    std::string name = member.name.starts_with(start) ? member.name.substr(start.size()) : "";
    bytes += member.contents.size();
    if (!IsPlainName(name) || member.too_large || bytes > kMaxMemberBytes) {
      return absl::DataLossError(
          absl::StrCat(folder, ".tar holds a file that is none of its prompt's; wants files in ", start,
                       " of 1 GiB at most"));
    }
    files.push_back({std::move(name), std::move(member.contents)});
  }
}

absl::StatusOr<std::unique_ptr<PartitionWriter>> OpenObjectPartition(ObjectStore& store, const ObjectUrl& url,
                                                                     const PartitionOptions& options) {
  IP2P_ASSIGN_OR_RETURN(std::unique_ptr<PartitionLock> lock,
                        AcquireObjectLock(store, url, options.share, options.lock));
  IP2P_ASSIGN_OR_RETURN(std::set<int64_t> finished, FindFinished(store, url, options.share));
  auto partition =
      std::make_unique<ObjectPartition>(store, url, options.share, std::move(lock), std::move(finished));
  IP2P_RETURN_IF_ERROR(partition->CheckKnown(options.known));
  return partition;
}

}  // namespace ip2p
