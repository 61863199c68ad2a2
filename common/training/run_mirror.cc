// See run_mirror.h.
#include "common/training/run_mirror.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/base/log.h"
#include "common/base/status_macros.h"
#include "common/object_store/object_tree.h"
#include "common/object_store/store_settings.h"
#include "common/storage/atomic_file.h"
#include "common/storage/io_error.h"
#include "common/storage/make_folder.h"
#include "common/storage/read_file.h"
#include "common/training/export_model.h"

namespace ip2p {
namespace {

namespace fs = std::filesystem;

constexpr char kExports[] = "export";
constexpr char kMetrics[] = "metrics.jsonl";
constexpr size_t kMaxLatestBytes = 4096;
constexpr absl::Duration kBetweenLooks = absl::Milliseconds(100);

absl::Status At(const ObjectUrl& url, const absl::Status& status) {
  return absl::Status(status.code(), absl::StrCat(url.text(), ": ", status.message()));
}

// "step-000000004/state.json" -> its step and "state.json". Nothing for what is of no step.
struct Place {
  int64_t step = 0;
  std::string file;
};
std::optional<Place> PlaceOf(const ObjectUrl& folder, const std::string& key) {
  const absl::StatusOr<std::string> below = PathBelow(folder, key);
  if (!below.ok()) return std::nullopt;
  const size_t slash = below->find('/');
  if (slash == std::string::npos) return std::nullopt;
  const std::optional<int64_t> step = CheckpointStep(below->substr(0, slash));
  if (!step.has_value()) return std::nullopt;
  return Place{*step, below->substr(slash + 1)};
}

}  // namespace

absl::StatusOr<std::unique_ptr<RunMirror>> RunMirror::Open(RunMirrorOptions options) {
  IP2P_ASSIGN_OR_RETURN(StoreSettings settings, StoreSettingsFrom(ProcessEnvironment()));
  // One of its own, so that it can be given up without the reading of examples.
  return std::make_unique<RunMirror>(std::make_unique<ObjectStore>(std::move(settings)), std::move(options));
}

RunMirror::RunMirror(std::unique_ptr<ObjectStore> store, RunMirrorOptions options)
    : store_(std::move(store)), options_(std::move(options)), thread_([this] { Work(); }) {}

RunMirror::~RunMirror() {
  {
    const absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  store_->Cancel();
  thread_.join();
}

ObjectUrl RunMirror::CheckpointUrl(int64_t step) const {
  return options_.url.Child(kCheckpointsFolder).Child(CheckpointName(step));
}

absl::StatusOr<RunMirror::Shelf> RunMirror::Look() {
  const ObjectUrl folder = options_.url.Child(kCheckpointsFolder);
  IP2P_ASSIGN_OR_RETURN(const std::vector<ListedObject> objects, store_->List(folder));
  struct Found {
    bool whole = false;
    bool pinned = false;
  };
  std::map<int64_t, Found, std::greater<>> found;
  Shelf shelf;
  for (const ListedObject& object : objects) {
    const std::optional<Place> place = PlaceOf(folder, object.key);
    if (!place.has_value()) continue;
    Found& one = found[place->step];
    one.whole |= place->file == kStateFile;
    one.pinned |= place->file == kPinnedFile;
  }
  for (const auto& [step, one] : found) {
    if (one.whole) {
      shelf.whole.push_back({.step = step, .path = CheckpointUrl(step).text(), .pinned = one.pinned});
    } else {
      shelf.half.insert(step);
    }
  }
  const absl::StatusOr<ObjectBytes> latest = store_->Get(folder.Child(kLatestFile), kMaxLatestBytes);
  if (latest.ok()) {
    shelf.latest = CheckpointStep(std::string(absl::StripAsciiWhitespace(latest->bytes)));
  } else if (!absl::IsNotFound(latest.status())) {
    return latest.status();
  }
  return shelf;
}

// Later ones are of a way that was given up, or not stored to the end.
bool RunMirror::IsCandidate(const Shelf& shelf, int64_t step) {
  return !shelf.latest.has_value() || step <= *shelf.latest;
}

absl::StatusOr<RunMirror::StateText> RunMirror::StateAt(int64_t step) {
  const ObjectUrl url = CheckpointUrl(step).Child(kStateFile);
  IP2P_ASSIGN_OR_RETURN(ObjectBytes object, store_->Get(url, kMaxStateBytes));
  absl::StatusOr<CheckpointState> state = ParseCheckpointState(object.bytes, step);
  if (!state.ok()) return At(url, state.status());
  return StateText{std::move(object.bytes), *std::move(state)};
}

absl::Status RunMirror::CheckDigest(const CheckpointState& state) const {
  if (state.run.config_digest == options_.config_digest) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat(CheckpointUrl(state.run.step).Child(kStateFile).text(), ": config_sha256 is ",
                   state.run.config_digest, "; wants ", options_.config_digest,
                   ", that of this run: the settings that the mirror was begun with, or another mirror"));
}

absl::StatusOr<std::optional<int64_t>> RunMirror::Check() {
  IP2P_ASSIGN_OR_RETURN(const Shelf shelf, Look());
  for (const CheckpointEntry& entry : shelf.whole) {
    const absl::StatusOr<StateText> read = StateAt(entry.step);
    if (absl::IsDataLoss(read.status())) continue;  // it tells nothing of the run
    IP2P_RETURN_IF_ERROR(read.status());
    IP2P_RETURN_IF_ERROR(CheckDigest(read->state));
    break;
  }
  for (const CheckpointEntry& entry : shelf.whole) {
    if (IsCandidate(shelf, entry.step)) return std::optional(entry.step);
  }
  return std::optional<int64_t>();
}

absl::StatusOr<int64_t> RunMirror::Restore(std::optional<int64_t> step) {
  IP2P_ASSIGN_OR_RETURN(const Shelf shelf, Look());
  absl::Status first_fault;
  for (const CheckpointEntry& entry : shelf.whole) {
    if (step.has_value() ? entry.step != *step : !IsCandidate(shelf, entry.step)) continue;
    const absl::Time start = absl::Now();
    const absl::Status restored = RestoreOne(entry);
    if (restored.ok()) {
      Log(LogLevel::kInfo, "checkpoint restored from the mirror",
          {{"step", entry.step}, {"seconds", absl::ToDoubleSeconds(absl::Now() - start)}});
      return entry.step;
    }
    if (!absl::IsDataLoss(restored)) return restored;
    Log(LogLevel::kWarning, "a checkpoint of the mirror is passed over",
        {{"step", entry.step}, {"status", restored.ToString()}});
    first_fault.Update(restored);
  }
  if (!first_fault.ok())
    return step.has_value()
               ? first_fault
               : absl::DataLossError(absl::StrCat("no checkpoint of the mirror is whole; the newest: ",
                                                  first_fault.message()));
  if (!step.has_value()) return absl::NotFoundError(absl::StrCat(options_.url.text(), " has no checkpoint"));
  return absl::NotFoundError(
      absl::StrCat(CheckpointUrl(*step).text(), " has no state.json; wants a whole checkpoint"));
}

absl::Status RunMirror::RestoreOne(const CheckpointEntry& entry) {
  IP2P_ASSIGN_OR_RETURN(const StateText read, StateAt(entry.step));
  IP2P_RETURN_IF_ERROR(CheckDigest(read.state));
  const std::string target = CheckpointPath(options_.run, entry.step);
  std::error_code error;
  IP2P_RETURN_IF_ERROR(MakeFolder(fs::path(target).parent_path(), "the folder of checkpoints"));
  const bool replaces = fs::exists(target, error);
  IP2P_ASSIGN_OR_RETURN(AtomicFolder folder, AtomicFolder::Create(target, replaces));
  std::vector<FileTransfer> files;
  for (const CheckpointState::File& file : read.state.files)
    files.push_back({.path = absl::StrCat(folder.path(), "/", file.name),
                     .url = CheckpointUrl(entry.step).Child(file.name)});
  const absl::Status copied = store_->Download(files);
  if (absl::IsNotFound(copied)) return absl::DataLossError(copied.message());  // state.json names it
  IP2P_RETURN_IF_ERROR(copied);
  if (const absl::Status whole = CheckCheckpointFiles(folder.path(), read.state); !whole.ok())
    return At(CheckpointUrl(entry.step), whole);
  IP2P_RETURN_IF_ERROR(WriteFileAtomically(absl::StrCat(folder.path(), "/", kStateFile), read.text));
  if (entry.pinned)
    IP2P_RETURN_IF_ERROR(WriteFileAtomically(absl::StrCat(folder.path(), "/", kPinnedFile), ""));
  const absl::Status published = replaces ? folder.Replace() : folder.Publish();
  // Of several ranks on one disk another one was faster.
  return absl::IsAlreadyExists(published) ? absl::OkStatus() : published;
}

absl::Status RunMirror::RestoreRecords() {
  const std::string path = absl::StrCat(options_.run, "/", kMetrics);
  std::error_code error;
  if (!fs::exists(path, error)) {
    const FileTransfer file{.path = path, .url = options_.url.Child(kMetrics)};
    const absl::Status copied = store_->Download({&file, 1});
    if (!absl::IsNotFound(copied)) IP2P_RETURN_IF_ERROR(copied);
  }
  IP2P_ASSIGN_OR_RETURN(const auto there, ValidationsThere());
  for (const auto& [step, objects] : there) {
    const std::string target = ValidationPath(options_.run, step);
    if (fs::exists(target, error)) continue;
    IP2P_RETURN_IF_ERROR(MakeFolder(fs::path(target).parent_path(), "the folder of validations"));
    IP2P_ASSIGN_OR_RETURN(AtomicFolder folder, AtomicFolder::Create(target));
    const ObjectUrl url = options_.url.Child(kValidationsFolder).Child(CheckpointName(step));
    IP2P_ASSIGN_OR_RETURN(const std::vector<FileTransfer> files, FilesFor(objects, url, folder.path()));
    IP2P_RETURN_IF_ERROR(store_->Download(files));
    IP2P_RETURN_IF_ERROR(folder.Publish());
  }
  return absl::OkStatus();
}

absl::StatusOr<std::map<int64_t, std::vector<ListedObject>>> RunMirror::ValidationsThere() {
  const ObjectUrl url = options_.url.Child(kValidationsFolder);
  IP2P_ASSIGN_OR_RETURN(std::vector<ListedObject> objects, store_->List(url));
  std::map<int64_t, std::vector<ListedObject>> found;
  std::set<int64_t> whole;
  for (ListedObject& object : objects) {
    const std::optional<Place> place = PlaceOf(url, object.key);
    if (!place.has_value()) continue;
    if (place->file == kValidationFigures) whole.insert(place->step);
    found[place->step].push_back(std::move(object));
  }
  std::erase_if(found, [&whole](const auto& one) { return !whole.contains(one.first); });
  return found;
}

void RunMirror::Offer(int64_t step, bool anew) {
  const absl::MutexLock lock(&mutex_);
  offered_ = Offered{step, anew};
  waiting_ = offered_;
}

std::set<int64_t> RunMirror::in_use() const {
  const absl::MutexLock lock(&mutex_);
  std::set<int64_t> steps;
  if (waiting_.has_value()) steps.insert(waiting_->step);
  if (on_its_way_.has_value()) steps.insert(on_its_way_->step);
  return steps;
}

std::vector<MirrorReport> RunMirror::TakeReports() {
  const absl::MutexLock lock(&mutex_);
  return std::exchange(reports_, {});
}

absl::Status RunMirror::Finish(const std::function<bool()>& wait) {
  bool again = false;
  while (wait()) {
    const absl::MutexLock lock(&mutex_);
    if (!mutex_.AwaitWithTimeout(absl::Condition(this, &RunMirror::IsIdle), kBetweenLooks)) continue;
    if (!offered_.has_value() || outcome_.ok()) return absl::OkStatus();
    if (again)
      return absl::Status(outcome_.code(),
                          absl::StrCat("the checkpoint of step ", offered_->step,
                                       " is not stored at the mirror: ", outcome_.message()));
    again = true;
    waiting_ = offered_;
  }
  return absl::CancelledError("the run is ended before its last checkpoint is stored at the mirror");
}

void RunMirror::Work() {
  while (true) {
    MirrorReport report;
    Offered offered;
    {
      const absl::MutexLock lock(&mutex_);
      mutex_.Await(absl::Condition(this, &RunMirror::HasWork));
      if (stopping_) return;
      offered = *waiting_;
      on_its_way_ = std::exchange(waiting_, std::nullopt);
    }
    report.step = offered.step;
    const absl::Time start = absl::Now();
    report.status = Store(offered, report.bytes);
    report.seconds = absl::ToDoubleSeconds(absl::Now() - start);
    const absl::MutexLock lock(&mutex_);
    outcome_ = report.status;
    on_its_way_.reset();
    reports_.push_back(std::move(report));
  }
}

absl::Status RunMirror::Store(const Offered& offered, int64_t& bytes) {
  const int64_t step = offered.step;
  if (!checked_) IP2P_RETURN_IF_ERROR(Check().status());
  checked_ = true;
  IP2P_ASSIGN_OR_RETURN(std::string state,
                        ReadFile(absl::StrCat(CheckpointPath(options_.run, step), "/", kStateFile),
                                 absl::StrCat(CheckpointName(step), "/", kStateFile), kMaxStateBytes));
  const ObjectUrl url = CheckpointUrl(step).Child(kStateFile);
  const absl::StatusOr<ObjectBytes> there = store_->Get(url, kMaxStateBytes);
  if (!there.ok() && !absl::IsNotFound(there.status())) return there.status();
  if (offered.anew || !there.ok() || there->bytes != state) {
    if (there.ok()) IP2P_RETURN_IF_ERROR(store_->Delete(url));  // nobody reads a mixture of the two
    IP2P_RETURN_IF_ERROR(Send(step, std::move(state), bytes));
  }
  IP2P_RETURN_IF_ERROR(store_
                           ->Put(options_.url.Child(kCheckpointsFolder).Child(kLatestFile),
                                 absl::StrCat(CheckpointName(step), "\n"))
                           .status());
  if (bytes == 0) return absl::OkStatus();  // nothing is too much that was not before
  // It is stored; what cannot be cleared away goes with the next one.
  if (const absl::Status cleared = ClearAway(step); !cleared.ok())
    Log(LogLevel::kWarning, "old checkpoints of the mirror stay", {{"status", cleared.ToString()}});
  return absl::OkStatus();
}

absl::Status RunMirror::Send(int64_t step, std::string state, int64_t& bytes) {
  const MovedBytes count = [&bytes](int64_t moved) { bytes += moved; };
  IP2P_RETURN_IF_ERROR(SendMetrics(bytes));
  IP2P_RETURN_IF_ERROR(SendValidations(bytes));
  IP2P_ASSIGN_OR_RETURN(
      std::vector<FileTransfer> files,
      FilesBelow(ExportPath(options_.run, step), options_.url.Child(kExports).Child(CheckpointName(step))));
  IP2P_ASSIGN_OR_RETURN(const std::vector<FileTransfer> checkpoint,
                        FilesBelow(CheckpointPath(options_.run, step), CheckpointUrl(step)));
  const ObjectUrl last = CheckpointUrl(step).Child(kStateFile);
  for (const FileTransfer& file : checkpoint) {
    if (file.url != last) files.push_back(file);
  }
  IP2P_RETURN_IF_ERROR(store_->Upload(files, count));
  bytes += static_cast<int64_t>(state.size());
  return store_->Put(last, std::move(state)).status();
}

// A copy, because an upload wants a file that does not grow meanwhile. Lines of later steps, and a torn last
// one, are cut off by who goes on.
absl::Status RunMirror::SendMetrics(int64_t& bytes) {
  const std::string path = absl::StrCat(options_.run, "/", kMetrics);
  std::error_code error;
  if (!fs::exists(path, error)) return absl::OkStatus();
  const std::string copy = absl::StrCat(options_.run, "/", kCheckpointsFolder, "/.tmp-", kMetrics);
  fs::copy_file(path, copy, fs::copy_options::overwrite_existing, error);
  if (error) return IoError(error.value(), absl::StrCat(kMetrics, " cannot be copied"));
  const FileTransfer file{.path = copy, .url = options_.url.Child(kMetrics)};
  const absl::Status sent = store_->Upload({&file, 1}, [&bytes](int64_t moved) { bytes += moved; });
  fs::remove(copy, error);
  return sent;
}

// Those that are not there yet; here each is published by one rename, there its figures are stored last.
absl::Status RunMirror::SendValidations(int64_t& bytes) {
  const std::string parent = absl::StrCat(options_.run, "/", kValidationsFolder);
  std::error_code error;
  if (!fs::exists(parent, error)) return absl::OkStatus();
  IP2P_ASSIGN_OR_RETURN(const auto there, ValidationsThere());
  const MovedBytes count = [&bytes](int64_t moved) { bytes += moved; };
  for (fs::directory_iterator it(parent, error), end; !error && it != end; it.increment(error)) {
    const std::optional<int64_t> step = CheckpointStep(it->path().filename().string());
    if (!step.has_value() || there.contains(*step)) continue;
    const ObjectUrl url = options_.url.Child(kValidationsFolder).Child(CheckpointName(*step));
    IP2P_ASSIGN_OR_RETURN(std::vector<FileTransfer> files, FilesBelow(it->path().string(), url));
    const auto last = std::partition(files.begin(), files.end(), [&url](const FileTransfer& file) {
      return file.url != url.Child(kValidationFigures);
    });
    IP2P_RETURN_IF_ERROR(store_->Upload({files.begin(), last}, count));
    IP2P_RETURN_IF_ERROR(store_->Upload({last, files.end()}, count));
  }
  return error ? IoError(error.value(), "the folder of validations cannot be read") : absl::OkStatus();
}

absl::Status RunMirror::ClearAway(int64_t latest) {
  IP2P_ASSIGN_OR_RETURN(const Shelf shelf, Look());
  std::set<int64_t> kept;
  for (const CheckpointEntry& entry : shelf.whole) kept.insert(entry.step);
  for (const int64_t step : StepsToRemove(shelf.whole, latest, options_.keep)) {
    kept.erase(step);
    // First, so that what is left of it is no checkpoint.
    IP2P_RETURN_IF_ERROR(store_->Delete(CheckpointUrl(step).Child(kStateFile)));
    IP2P_RETURN_IF_ERROR(DeleteBelow(CheckpointUrl(step)));
  }
  for (const int64_t step : shelf.half) IP2P_RETURN_IF_ERROR(DeleteBelow(CheckpointUrl(step)));
  const ObjectUrl exports = options_.url.Child(kExports);
  IP2P_ASSIGN_OR_RETURN(const std::vector<ListedObject> objects, store_->List(exports));
  for (const ListedObject& object : objects) {
    const std::optional<Place> place = PlaceOf(exports, object.key);
    if (place.has_value() && !kept.contains(place->step))
      IP2P_RETURN_IF_ERROR(store_->Delete({exports.bucket, object.key}));
  }
  return absl::OkStatus();
}

absl::Status RunMirror::DeleteBelow(const ObjectUrl& url) {
  IP2P_ASSIGN_OR_RETURN(const std::vector<ListedObject> objects, store_->List(url));
  for (const ListedObject& object : objects) IP2P_RETURN_IF_ERROR(store_->Delete({url.bucket, object.key}));
  return absl::OkStatus();
}

}  // namespace ip2p
