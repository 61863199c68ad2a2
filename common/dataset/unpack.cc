// Prompts and pairs stand in the same order, so both are read side by side, a folder at a time.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <memory>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/sha256.h"
#include "common/base/status_macros.h"
#include "common/dataset/dataset_reader.h"
#include "common/dataset/pack.h"
#include "common/dataset/pack_index.h"
#include "common/dataset/partition_lock.h"
#include "common/dataset/partition_writer.h"
#include "common/dataset/prompt_folder.h"
#include "common/storage/atomic_file.h"
#include "common/storage/io_error.h"
#include "common/storage/make_folder.h"
#include "common/storage/read_file.h"
#include "common/storage/tar.h"

namespace ip2p {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxIndexBytes = 64 << 20;
constexpr size_t kMaxMemberBytes = 1 << 30;
constexpr size_t kBlock = 1 << 20;

absl::Status Damaged(const std::string& name, absl::string_view why) {
  return absl::DataLossError(absl::StrCat(name, " ", why));
}

// The members of a list of shards, one after the other, with one member of foresight.
class ShardStream {
 public:
  ShardStream(std::string folder, std::vector<Shard> shards)
      : folder_(std::move(folder)), shards_(std::move(shards)) {}
  ~ShardStream() { CloseFile(); }
  ShardStream(const ShardStream&) = delete;
  ShardStream& operator=(const ShardStream&) = delete;

  // Null at the end. Valid until Pop.
  absl::StatusOr<TarMember*> Peek() {
    while (!ahead_) {
      if (reader_ == nullptr) {
        if (at_ == shards_.size()) return nullptr;
        IP2P_RETURN_IF_ERROR(OpenFile(shards_[at_++]));
      }
      IP2P_ASSIGN_OR_RETURN(ahead_, reader_->Next(member_));
      if (ahead_ && member_.too_large) return Damaged(member_.name, "is over 1 GiB");
      if (!ahead_) CloseFile();
    }
    return &member_;
  }
  void Pop() { ahead_ = false; }

 private:
  void CloseFile() {
    reader_.reset();
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }

  absl::Status OpenFile(const Shard& shard) {
    const std::string path = absl::StrCat(folder_, "/", shard.name);
    std::error_code error;
    if (!fs::is_regular_file(path, error))
      return Damaged(shard.name, "is missing; wants what index.json tells");
    fd_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd_ < 0) return IoError(errno, absl::StrCat(shard.name, " cannot be read"));
    IP2P_RETURN_IF_ERROR(Compare(shard));
    reader_ = std::make_unique<TarReader>(fd_, shard.name, kMaxMemberBytes);
    return absl::OkStatus();
  }

  absl::Status Compare(const Shard& shard) const {
    Sha256 digest;
    std::string block(kBlock, '\0');
    while (true) {
      const ssize_t got = ::read(fd_, block.data(), block.size());
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return IoError(errno, absl::StrCat(shard.name, " cannot be read"));
      if (got == 0) break;
      digest.Update(std::string_view(block).substr(0, static_cast<size_t>(got)));
    }
    if (digest.Finish() == shard.sha256) return absl::OkStatus();
    return Damaged(shard.name, "is damaged: its SHA-256 is not what index.json tells");
  }

  const std::string folder_;
  const std::vector<Shard> shards_;
  size_t at_ = 0;
  int fd_ = -1;
  std::unique_ptr<TarReader> reader_;
  TarMember member_;
  bool ahead_ = false;
};

class Unpacker {
 public:
  Unpacker(const std::string& packed, const PackIndex& index, std::string dataset,
           const std::function<void(int64_t, int64_t)>& progress)
      : index_(index),
        prompts_(packed, index.prompts),
        pairs_(packed, index.pairs),
        dataset_(std::move(dataset)),
        progress_(progress) {}

  absl::StatusOr<PackReport> Unpack() {
    std::vector<FileBytes> own;
    IP2P_RETURN_IF_ERROR(TakeDatasetFiles(own));
    while (true) {
      IP2P_ASSIGN_OR_RETURN(const TarMember* const marker, prompts_.Peek());
      if (marker == nullptr) break;
      IP2P_RETURN_IF_ERROR(UnpackFolder(marker->name));
    }
    IP2P_ASSIGN_OR_RETURN(const TarMember* const rest, pairs_.Peek());
    if (rest != nullptr) return Damaged(rest->name, "belongs to no prompt");
    // Last, so that a dataset with seeds.json is whole.
    for (const auto& [name, bytes] : own) {
      IP2P_RETURN_IF_ERROR(WriteFileAtomically(absl::StrCat(dataset_, "/", name), bytes));
    }
    report_.shards = static_cast<int64_t>(index_.pairs.size() + index_.prompts.size());
    for (const auto* shards : {&index_.pairs, &index_.prompts}) {
      for (const Shard& shard : *shards) report_.bytes += shard.bytes;
    }
    return report_;
  }

 private:
  using FileBytes = std::pair<std::string, std::string>;

  absl::Status TakeDatasetFiles(std::vector<FileBytes>& own) {
    while (true) {
      IP2P_ASSIGN_OR_RETURN(TarMember* const member, prompts_.Peek());
      if (member == nullptr || (member->name != "run.json" && member->name != "seeds.json")) {
        return absl::OkStatus();
      }
      own.emplace_back(member->name, std::move(member->contents));
      prompts_.Pop();
    }
  }

  // From its marker, "FOLDER/", to before the next one.
  absl::Status UnpackFolder(const std::string& marker) {
    if (!marker.ends_with("/")) return Damaged(marker, "stands where a folder begins");
    const std::string folder = marker.substr(0, marker.size() - 1);
    if (!IsPlainName(folder) || folder.starts_with(".")) return Damaged(marker, "is no folder's name");
    prompts_.Pop();
    std::vector<FileBytes> files;
    IP2P_RETURN_IF_ERROR(TakePromptFiles(folder, files));
    IP2P_RETURN_IF_ERROR(TakePairs(folder, files));
    std::vector<FolderFile> views;
    views.reserve(files.size());
    for (const auto& [name, bytes] : files) views.push_back({name, bytes});
    const absl::Status published = PublishFolder(dataset_, folder, views);
    if (!published.ok() && !absl::IsAlreadyExists(published)) return published;
    ++report_.prompts;
    if (progress_) progress_(report_.prompts, index_.n_prompts());
    return absl::OkStatus();
  }

  absl::Status TakePromptFiles(const std::string& folder, std::vector<FileBytes>& files) {
    while (true) {
      IP2P_ASSIGN_OR_RETURN(TarMember* const member, prompts_.Peek());
      if (member == nullptr || member->name.ends_with("/")) return absl::OkStatus();
      const std::string start = folder + "/";
      std::string name = member->name.starts_with(start) ? member->name.substr(start.size()) : "";
      if (!IsPlainName(name)) return Damaged(member->name, "is no file of the folder before it");
      files.emplace_back(std::move(name), std::move(member->contents));
      prompts_.Pop();
    }
  }

  absl::Status TakePairs(const std::string& folder, std::vector<FileBytes>& files) {
    while (true) {
      IP2P_ASSIGN_OR_RETURN(TarMember* const member, pairs_.Peek());
      const std::string start = folder + "_";
      if (member == nullptr || !member->name.starts_with(start)) return absl::OkStatus();
      const size_t dot = member->name.find('.');
      const std::string seed = member->name.substr(start.size(), dot - start.size());
      const std::string ending = dot == std::string::npos ? "" : member->name.substr(dot);
      if (!IsPlainName(seed)) return Damaged(member->name, "is no pair's name");
      if (ending == ".before.jpg") {
        files.emplace_back(seed + "_0.jpg", std::move(member->contents));
      } else if (ending == ".after.jpg") {
        files.emplace_back(seed + "_1.jpg", std::move(member->contents));
        ++report_.pairs;
      } else if (ending != ".json") {
        return Damaged(member->name, "is no part of a pair");
      }
      pairs_.Pop();
    }
  }

  const PackIndex& index_;
  ShardStream prompts_;
  ShardStream pairs_;
  const std::string dataset_;
  const std::function<void(int64_t, int64_t)>& progress_;
  PackReport report_;
};

}  // namespace

absl::StatusOr<PackReport> UnpackDataset(const std::string& packed, const std::string& dataset,
                                         const std::function<void(int64_t, int64_t)>& progress) {
  IP2P_ASSIGN_OR_RETURN(const std::string text,
                        ReadFile(absl::StrCat(packed, "/index.json"), "index.json", kMaxIndexBytes));
  IP2P_ASSIGN_OR_RETURN(const PackIndex index, ParsePackIndex(text));
  IP2P_RETURN_IF_ERROR(MakeFolder(dataset, "the output folder"));
  IP2P_ASSIGN_OR_RETURN(const std::unique_ptr<PartitionLock> lock,
                        PartitionLock::Acquire(dataset, kAllPrompts, {}));
  IP2P_RETURN_IF_ERROR(RemoveStale(dataset, kAllPrompts));
  absl::StatusOr<PackReport> report = Unpacker(packed, index, dataset, progress).Unpack();
  if (!report.ok()) return lock->Explain(report.status());
  return report;
}

}  // namespace ip2p
