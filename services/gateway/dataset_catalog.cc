#include "services/gateway/dataset_catalog.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/base/log.h"
#include "common/base/status_macros.h"
#include "common/dataset/run_file.h"
#include "common/rpc/status.h"
#include "common/storage/read_file.h"

namespace ip2p::gateway {
namespace {

constexpr absl::Duration kWaitForFirst = absl::Milliseconds(1500);
constexpr absl::Duration kTryAgainAfter = absl::Seconds(5);
constexpr absl::Duration kAddAfter = absl::Seconds(5);  // while a dataset is copied: each time lists it
constexpr size_t kMaxRunFileBytes = 1 << 20;

absl::Status NoDatasets() {
  return absl::FailedPreconditionError("this gateway was started without --datasets-dir");
}

std::string RunFileText(const std::string& path) {
  return ReadFile(absl::StrCat(path, "/run.json"), "run.json", kMaxRunFileBytes).value_or("");
}

void ReadRunSettings(const std::string& text, DatasetView& view) {
  const absl::StatusOr<RunSettings> run = ParseRunFile(text);
  if (!run.ok()) return;
  const auto number = [&run](const char* key) {
    const auto found = run->find(key);
    return found != run->end() && found->is_number() ? std::optional<double>(found->get<double>())
                                                     : std::nullopt;
  };
  const auto clip = number("clip_threshold");
  const auto dir = number("clip_dir_threshold");
  const auto img = number("clip_img_threshold");
  if (clip && dir && img) view.thresholds = ClipThresholds{.clip = *clip, .dir = *dir, .img = *img};
  if (const auto most = number("max_out_samples")) view.max_out_samples = static_cast<int>(*most);
}

// Why nothing can be told of a dataset.
absl::Status NotRead(const absl::Status& fault) {
  if (absl::IsNotFound(fault)) return fault;
  const std::string text = fault.ok() ? "the dataset is not read yet; try again"
                                      : absl::StrCat("the dataset can't be read: ", fault.message());
  return WithRetryAfter(absl::UnavailableError(text), kTryAgainAfter);
}

}  // namespace

DatasetCatalog::~DatasetCatalog() {
  if (source_ != nullptr) source_->Stop();
  absl::MutexLock lock(&mutex_);
  for (const auto& [name, entry] : entries_) {
    {
      absl::MutexLock inner(&entry->mutex);
      entry->stopping = true;
    }
    if (entry->thread.joinable()) entry->thread.join();
  }
}

absl::StatusOr<std::vector<std::string>> DatasetCatalog::List() const {
  if (source_ == nullptr) return NoDatasets();
  return source_->List();
}

absl::StatusOr<std::shared_ptr<DatasetCatalog::Entry>> DatasetCatalog::Find(const std::string& name) {
  if (source_ == nullptr) return NoDatasets();
  IP2P_ASSIGN_OR_RETURN(const std::string path, source_->FolderOf(name));
  absl::MutexLock lock(&mutex_);
  std::shared_ptr<Entry>& entry = entries_[name];
  if (entry == nullptr) entry = std::make_shared<Entry>(name, path);
  absl::MutexLock inner(&entry->mutex);
  if (!entry->reading && absl::Now() >= entry->read_again_at) {
    if (entry->thread.joinable()) entry->thread.join();  // it is done
    entry->reading = true;
    entry->thread = std::thread([this, raw = entry.get()] { ReadNew(*raw); });
  }
  return entry;
}

void DatasetCatalog::ReadNew(Entry& entry) const {
  const absl::Time begin = absl::Now();
  absl::Time added_at = absl::InfinitePast();
  DatasetCopyProgress progress;
  absl::Status status = source_->Update(entry.name, [&](const DatasetCopyProgress& now) {
    progress = now;
    if (now.done == now.objects || absl::Now() - added_at < kAddAfter) return;
    AddNew(entry, now).IgnoreError();  // told at the end
    added_at = absl::Now();
  });
  const absl::Duration took = absl::Now() - begin;  // to list the objects at least
  if (status.ok()) status = AddNew(entry, progress);
  absl::MutexLock lock(&entry.mutex);
  if (!status.ok() && entry.fault.ok() && !entry.stopping)
    Log(LogLevel::kWarning, "a dataset can't be read",
        {{"dataset", entry.name}, {"status", status.ToString()}});
  entry.fault = status;
  entry.reading = false;
  // Where it takes long to see what is new, less often.
  const absl::Duration pause =
      status.ok() ? std::clamp(4 * took, read_again_after_, 12 * read_again_after_) : read_again_after_;
  entry.read_again_at = absl::Now() + pause;
}

// Folders are whole once they are there, so only new names are read; unless run.json changed.
absl::Status DatasetCatalog::AddNew(Entry& entry, const DatasetCopyProgress& progress) const {
  IP2P_ASSIGN_OR_RETURN(const DatasetReader reader, DatasetReader::Open(entry.path));
  const std::string run_file = RunFileText(entry.path);
  std::set<std::string> known;
  {
    absl::MutexLock lock(&entry.mutex);
    if (!entry.index || entry.run_file != run_file) entry.index.emplace(static_cast<size_t>(max_rows_));
    entry.run_file = run_file;
    known.insert(entry.index->folders().begin(), entry.index->folders().end());
    entry.reader = reader;
    entry.folders_total =
        progress.prompts > 0 ? progress.prompts : static_cast<int64_t>(reader.folders().size());
    entry.cut = progress.done == progress.objects && !progress.next.empty();
  }
  for (const std::string& folder : reader.folders()) {
    if (known.count(folder) > 0 || !progress.Has(folder)) continue;
    const absl::StatusOr<PromptRecord> record = reader.ReadPrompt(folder);
    absl::MutexLock lock(&entry.mutex);
    if (entry.stopping) break;
    if (record.ok()) entry.index->Add(*record);
  }
  return absl::OkStatus();
}

absl::Status DatasetCatalog::Look(const std::string& name,
                                  const std::function<void(const DatasetView&)>& look) {
  IP2P_ASSIGN_OR_RETURN(const std::shared_ptr<Entry> entry, Find(name));
  absl::MutexLock lock(&entry->mutex);
  auto done = [&entry]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(entry->mutex) { return !entry->reading; };
  entry->mutex.AwaitWithTimeout(absl::Condition(&done), kWaitForFirst);
  if (!entry->index) return NotRead(entry->fault);
  DatasetView view{.index = &*entry->index,
                   .folders_total = entry->folders_total,
                   .reading = entry->reading,
                   .cut = entry->cut,
                   .fault = std::string(entry->fault.message())};
  ReadRunSettings(entry->run_file, view);
  look(view);
  return absl::OkStatus();
}

absl::StatusOr<DatasetReader> DatasetCatalog::ReaderOf(const std::string& name) {
  IP2P_ASSIGN_OR_RETURN(const std::shared_ptr<Entry> entry, Find(name));
  absl::MutexLock lock(&entry->mutex);
  auto done = [&entry]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(entry->mutex) {
    return entry->reader.has_value() || !entry->reading;
  };
  entry->mutex.AwaitWithTimeout(absl::Condition(&done), kWaitForFirst);
  if (!entry->reader) return NotRead(entry->fault);
  return *entry->reader;
}

absl::StatusOr<PromptRecord> DatasetCatalog::ReadPrompt(const std::string& name, const std::string& folder) {
  IP2P_ASSIGN_OR_RETURN(const DatasetReader reader, ReaderOf(name));
  return reader.ReadPrompt(folder);
}

absl::StatusOr<std::string> DatasetCatalog::ReadImage(const std::string& name, const std::string& folder,
                                                      const std::string& file) {
  if (!file.ends_with("_0.jpg") && !file.ends_with("_1.jpg")) {
    return absl::NotFoundError("no such image; wants SEED_0.jpg or SEED_1.jpg");
  }
  IP2P_ASSIGN_OR_RETURN(const DatasetReader reader, ReaderOf(name));
  return reader.ReadFileOf(folder, file);
}

}  // namespace ip2p::gateway
