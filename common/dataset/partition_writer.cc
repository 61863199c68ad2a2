#include "common/dataset/partition_writer.h"

#include <filesystem>
#include <optional>
#include <system_error>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/base/status_macros.h"
#include "common/dataset/object_partition.h"
#include "common/storage/atomic_file.h"
#include "common/storage/io_error.h"
#include "common/storage/make_folder.h"

namespace ip2p {
namespace {

namespace fs = std::filesystem;

constexpr const char* kTemporary = ".tmp-";

// The prompt that a temporary entry (".tmp-0000012-1a2b") was made for.
std::optional<int64_t> TemporaryOf(const std::string& name) {
  absl::string_view rest = name;
  if (!absl::ConsumePrefix(&rest, kTemporary)) return std::nullopt;
  const absl::string_view folder = rest.substr(0, rest.find('-'));
  return PromptIndexOf(std::string_view(folder.data(), folder.size()));
}

// "0000012" of ".tmp-0000012-old".
std::optional<std::string> TargetOfOld(absl::string_view name) {
  if (!absl::ConsumePrefix(&name, kTemporary) || !absl::ConsumeSuffix(&name, "-old")) return std::nullopt;
  return std::string(name);
}

class FolderPartition final : public PartitionWriter {
 public:
  FolderPartition(std::string dataset, Share share, std::unique_ptr<PartitionLock> lock)
      : dataset_(std::move(dataset)), share_(share), lock_(std::move(lock)) {}

  absl::Status Agree(const RunSettings& settings) override {
    if (share_.begin >= share_.end) return CheckRun(dataset_, settings);
    // Named as this partition's temporary folders are, so that its next start removes it as well.
    return AgreeOnRun(dataset_, settings,
                      absl::StrCat(kTemporary, PromptFolderName(share_.begin), "-run.json"));
  }

  absl::StatusOr<bool> Finished(int64_t prompt_index) const override {
    return PromptFinished(dataset_, prompt_index);
  }

  absl::Status Publish(int64_t prompt_index, const PromptContents& contents) override {
    IP2P_RETURN_IF_ERROR(lock_->Held());
    return Judge(PublishPrompt(dataset_, prompt_index, contents));
  }

  absl::Status Publish(int64_t prompt_index, std::span<const FolderFile> files) override {
    IP2P_RETURN_IF_ERROR(lock_->Held());
    return Judge(PublishFolder(dataset_, PromptFolderName(prompt_index), files));
  }

  absl::Status Held() const override { return lock_->Held(); }

 private:
  absl::Status Judge(const absl::Status& published) const {
    return absl::IsAlreadyExists(published) ? absl::OkStatus() : lock_->Explain(published);
  }

  const std::string dataset_;
  const Share share_;
  const std::unique_ptr<PartitionLock> lock_;
};

}  // namespace

absl::Status RemoveStale(const std::string& dataset, Share share) {
  const bool all = share.begin == kAllPrompts.begin && share.end >= kAllPrompts.end;
  std::vector<fs::path> stale;
  std::error_code error;
  for (fs::directory_iterator it(dataset, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    const std::optional<int64_t> index = TemporaryOf(name);
    const bool ours = index.has_value() && *index >= share.begin && *index < share.end;
    if (ours || (all && name.starts_with(kTemporary))) stale.push_back(it->path());
  }
  if (error) return IoError(error.value(), "the dataset cannot be listed");
  for (const fs::path& path : stale) {
    if (const std::optional<std::string> target = TargetOfOld(path.filename().string())) {
      IP2P_RETURN_IF_ERROR(RestoreReplaced(absl::StrCat(dataset, "/", *target)));
    }
    fs::remove_all(path, error);
    if (error) return IoError(error.value(), "a temporary folder cannot be removed");
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<PartitionWriter>> PartitionWriter::Open(const PartitionOptions& options) {
  if (IsObjectUrl(options.dataset)) {
    IP2P_ASSIGN_OR_RETURN(const ObjectUrl url, ParseObjectUrl(options.dataset));
    IP2P_ASSIGN_OR_RETURN(ObjectStore* const store, ObjectStore::Shared());
    return OpenObjectPartition(*store, url, options);
  }
  IP2P_RETURN_IF_ERROR(MakeFolder(options.dataset, "the output folder"));
  IP2P_ASSIGN_OR_RETURN(std::unique_ptr<PartitionLock> lock,
                        PartitionLock::Acquire(options.dataset, options.share, options.lock));
  IP2P_RETURN_IF_ERROR(RemoveStale(options.dataset, options.share));
  IP2P_RETURN_IF_ERROR(CheckRun(options.dataset, options.known));
  return std::make_unique<FolderPartition>(options.dataset, options.share, std::move(lock));
}

}  // namespace ip2p
