#include "services/gateway/dataset_catalog.h"

#include <algorithm>
#include <filesystem>
#include <set>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/base/log.h"
#include "common/base/status_macros.h"
#include "common/dataset/run_file.h"
#include "common/storage/read_file.h"

namespace ip2p::gateway {
namespace {

namespace fs = std::filesystem;

constexpr absl::Duration kReadAgainAfter = absl::Seconds(5);
constexpr absl::Duration kWaitForFirst = absl::Milliseconds(1500);
constexpr size_t kMaxRunFileBytes = 1 << 20;
constexpr size_t kMaxDatasets = 1000;

std::string RunFileText(const std::string& path) {
  return ReadFile(absl::StrCat(path, "/run.json"), "run.json", kMaxRunFileBytes).value_or("");
}

// A folder with an index, the settings of a run, or a prompt's folder.
bool IsDataset(const fs::path& path) {
  std::error_code error;
  if (fs::exists(path / "seeds.json", error) || fs::exists(path / "run.json", error)) return true;
  for (fs::directory_iterator it(path, error), end; !error && it != end; it.increment(error)) {
    std::error_code ignored;
    if (fs::exists(it->path() / "prompt.json", ignored)) return true;
  }
  return false;
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

}  // namespace

DatasetCatalog::~DatasetCatalog() {
  absl::MutexLock lock(&mutex_);
  for (const auto& [name, entry] : entries_) {
    {
      absl::MutexLock inner(&entry->mutex);
      entry->stopping = true;
    }
    if (entry->thread.joinable()) entry->thread.join();
  }
}

absl::StatusOr<std::string> DatasetCatalog::PathOf(const std::string& name) const {
  if (folder_.empty())
    return absl::FailedPreconditionError("this gateway was started without --datasets-dir");
  if (!IsPlainName(name) || name.starts_with(".")) return absl::NotFoundError("no such dataset");
  std::string path = absl::StrCat(folder_, "/", name);
  std::error_code error;
  if (!fs::is_directory(path, error)) return absl::NotFoundError("no such dataset");
  return path;
}

absl::StatusOr<std::vector<std::string>> DatasetCatalog::List() const {
  if (folder_.empty())
    return absl::FailedPreconditionError("this gateway was started without --datasets-dir");
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator it(folder_, error), end; !error && it != end; it.increment(error)) {
    std::error_code ignored;
    std::string name = it->path().filename().string();
    if (name.starts_with(".") || !it->is_directory(ignored) || !IsDataset(it->path())) continue;
    names.push_back(std::move(name));
    if (names.size() == kMaxDatasets) break;
  }
  if (error) return absl::UnavailableError("the folder of datasets can't be read");
  std::sort(names.begin(), names.end());
  return names;
}

absl::StatusOr<std::shared_ptr<DatasetCatalog::Entry>> DatasetCatalog::Find(const std::string& name) {
  IP2P_ASSIGN_OR_RETURN(const std::string path, PathOf(name));
  absl::MutexLock lock(&mutex_);
  std::shared_ptr<Entry>& entry = entries_[name];
  if (entry == nullptr) entry = std::make_shared<Entry>(path);
  absl::MutexLock inner(&entry->mutex);
  if (!entry->reading && absl::Now() - entry->read_at > kReadAgainAfter) {
    if (entry->thread.joinable()) entry->thread.join();  // it is done
    entry->reading = true;
    entry->thread =
        std::thread([raw = entry.get(), most = static_cast<size_t>(max_rows_)] { ReadNew(*raw, most); });
  }
  return entry;
}

// Folders are whole once they are there, so only new names are read; unless run.json changed.
void DatasetCatalog::ReadNew(Entry& entry, size_t max_rows) {
  absl::StatusOr<DatasetReader> reader = DatasetReader::Open(entry.path);
  const std::string run_file = RunFileText(entry.path);
  std::set<std::string> known;
  {
    absl::MutexLock lock(&entry.mutex);
    if (!entry.index || entry.run_file != run_file) entry.index.emplace(max_rows);
    entry.run_file = run_file;
    known.insert(entry.index->folders().begin(), entry.index->folders().end());
    if (reader.ok()) {
      entry.reader = *reader;
      entry.folders_total = static_cast<int64_t>(reader->folders().size());
    }
  }
  for (const std::string& folder : reader.ok() ? reader->folders() : std::vector<std::string>()) {
    if (known.count(folder) > 0) continue;
    const absl::StatusOr<PromptRecord> record = reader->ReadPrompt(folder);
    absl::MutexLock lock(&entry.mutex);
    if (entry.stopping) break;
    if (record.ok()) entry.index->Add(*record);
  }
  if (!reader.ok())
    Log(LogLevel::kWarning, "a dataset can't be read", {{"status", reader.status().ToString()}});
  absl::MutexLock lock(&entry.mutex);
  entry.reading = false;
  entry.read_at = absl::Now();
}

absl::Status DatasetCatalog::Look(const std::string& name,
                                  const std::function<void(const DatasetView&)>& look) {
  IP2P_ASSIGN_OR_RETURN(const std::shared_ptr<Entry> entry, Find(name));
  absl::MutexLock lock(&entry->mutex);
  auto done = [&entry]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(entry->mutex) { return !entry->reading; };
  entry->mutex.AwaitWithTimeout(absl::Condition(&done), kWaitForFirst);
  if (!entry->index) return absl::UnavailableError("the dataset is not read yet; try again");
  DatasetView view{.index = &*entry->index, .folders_total = entry->folders_total, .reading = entry->reading};
  ReadRunSettings(entry->run_file, view);
  look(view);
  return absl::OkStatus();
}

absl::StatusOr<PromptRecord> DatasetCatalog::ReadPrompt(const std::string& name, const std::string& folder) {
  IP2P_ASSIGN_OR_RETURN(const std::shared_ptr<Entry> entry, Find(name));
  std::optional<DatasetReader> reader;
  {
    absl::MutexLock lock(&entry->mutex);
    reader = entry->reader;
  }
  if (!reader) return absl::UnavailableError("the dataset is not read yet; try again");
  return reader->ReadPrompt(folder);
}

absl::StatusOr<std::string> DatasetCatalog::ReadImage(const std::string& name, const std::string& folder,
                                                      const std::string& file) {
  if (!file.ends_with("_0.jpg") && !file.ends_with("_1.jpg")) {
    return absl::NotFoundError("no such image; wants SEED_0.jpg or SEED_1.jpg");
  }
  IP2P_ASSIGN_OR_RETURN(const std::shared_ptr<Entry> entry, Find(name));
  std::optional<DatasetReader> reader;
  {
    absl::MutexLock lock(&entry->mutex);
    reader = entry->reader;
  }
  if (!reader) return absl::UnavailableError("the dataset is not read yet; try again");
  return reader->ReadFileOf(folder, file);
}

}  // namespace ip2p::gateway
