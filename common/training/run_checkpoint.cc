// See run_checkpoint.h.
#include "common/training/run_checkpoint.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/json.h"
#include "common/base/log.h"
#include "common/base/sha256.h"
#include "common/base/status_macros.h"
#include "common/checkpoint/safetensors.h"
#include "common/dataset/json_text.h"
#include "common/storage/atomic_file.h"
#include "common/storage/io_error.h"
#include "common/storage/make_folder.h"
#include "common/storage/mapped_file.h"

namespace ip2p {
namespace {

namespace fs = std::filesystem;

constexpr char kPrefix[] = "step-";
constexpr int kFormat = 1;

std::string FolderOf(const std::string& run) { return absl::StrCat(run, "/", kCheckpointsFolder); }

struct Part {
  const char* file;
  TensorMap RunCheckpoint::*tensors;
};
constexpr std::array<Part, 3> kParts = {{{"weights.safetensors", &RunCheckpoint::weights},
                                         {"ema.safetensors", &RunCheckpoint::ema},
                                         {"optimizer.safetensors", &RunCheckpoint::optimizer}}};

absl::StatusOr<std::string> DigestOf(const std::string& path, const std::string& name, int64_t& bytes) {
  IP2P_ASSIGN_OR_RETURN(const auto file, MappedFile::Open(path, name));
  bytes = static_cast<int64_t>(file->bytes().size());
  return Sha256Hex({reinterpret_cast<const char*>(file->bytes().data()), file->bytes().size()});
}

std::string StateText(const RunState& s, const nlohmann::ordered_json& files) {
  const nlohmann::ordered_json json = {{"format", kFormat},
                                       {"objective", s.objective},
                                       {"step", s.step},
                                       {"updates", s.updates},
                                       {"skipped", s.skipped},
                                       {"not_finite_in_row", s.not_finite_in_row},
                                       {"seed", s.seed},
                                       {"loss", absl::StrFormat("%.17g", s.loss)},  // may be nan
                                       {"config_sha256", s.config_digest},
                                       {"files", files}};
  return json.dump(2) + "\n";
}

absl::StatusOr<RunState> StateOf(const nlohmann::json& json) {
  RunState s;
  if (NumberOr(json, "format") != kFormat)
    return absl::FailedPreconditionError(
        absl::StrCat("state.json has format ", NumberOr(json, "format"), "; wants ", kFormat));
  s.step = NumberOr(json, "step");
  s.updates = NumberOr(json, "updates");
  s.skipped = NumberOr(json, "skipped");
  s.not_finite_in_row = static_cast<int>(NumberOr(json, "not_finite_in_row"));
  if (json.contains("seed") && json["seed"].is_number_unsigned()) s.seed = json["seed"].get<uint64_t>();
  IP2P_ASSIGN_OR_RETURN(s.config_digest, TextOr(json, "config_sha256"));
  IP2P_ASSIGN_OR_RETURN(s.objective, TextOr(json, "objective"));
  IP2P_ASSIGN_OR_RETURN(const std::string loss, TextOr(json, "loss"));
  if (!absl::SimpleAtod(loss, &s.loss)) return absl::DataLossError("state.json has no loss");
  return s;
}

absl::Status Damaged(const std::string& name, absl::string_view why) {
  return absl::DataLossError(absl::StrCat("checkpoint ", name, " is damaged: ", why));
}

// A file of the checkpoint that lies in `folder`, as state.json has it.
absl::Status CheckFile(const std::string& folder, const std::string& name,
                       const CheckpointState::File& file) {
  int64_t bytes = 0;
  const absl::StatusOr<std::string> digest =
      DigestOf(absl::StrCat(folder, "/", file.name), absl::StrCat(name, "/", file.name), bytes);
  if (!digest.ok()) return Damaged(name, digest.status().message());
  if (*digest == file.sha256) return absl::OkStatus();
  return Damaged(name, absl::StrCat(file.name, " does not have its SHA-256"));
}

TensorMap RunCheckpoint::*TensorsOf(const std::string& file) {
  const auto part = std::ranges::find_if(kParts, [&](const Part& one) { return one.file == file; });
  return part == kParts.end() ? nullptr : part->tensors;
}

// One checkpoint, every byte compared with what state.json says.
absl::StatusOr<RunCheckpoint> LoadOne(const std::string& run, int64_t step) {
  const std::string name = CheckpointName(step), path = CheckpointPath(run, step);
  IP2P_ASSIGN_OR_RETURN(
      const std::string text,
      ReadTextFile(absl::StrCat(path, "/", kStateFile), absl::StrCat(name, "/", kStateFile), kMaxStateBytes));
  IP2P_ASSIGN_OR_RETURN(CheckpointState state, ParseCheckpointState(text, step));
  RunCheckpoint checkpoint{.state = std::move(state.run)};
  for (const CheckpointState::File& file : state.files) {
    IP2P_RETURN_IF_ERROR(CheckFile(path, name, file));
    IP2P_ASSIGN_OR_RETURN(SafetensorsFile read, ReadSafetensors(absl::StrCat(path, "/", file.name),
                                                                absl::StrCat(name, "/", file.name)));
    checkpoint.*TensorsOf(file.name) = std::move(read.tensors);
  }
  if (checkpoint.weights.empty()) return Damaged(name, "it has no weights");
  return checkpoint;
}

std::optional<int64_t> ReadLatest(const std::string& run) {
  const auto text = ReadTextFile(absl::StrCat(FolderOf(run), "/", kLatestFile), kLatestFile, 4096);
  if (!text.ok()) return std::nullopt;
  return CheckpointStep(std::string(absl::StripAsciiWhitespace(*text)));
}

// The checkpoint of which `leftover` is what AtomicFolder::Replace keeps for a moment.
std::optional<std::string> ReplacedBy(const fs::path& leftover) {
  const std::string name = leftover.filename().string(), before = ".tmp-", after = "-old";
  if (!name.starts_with(before) || !name.ends_with(after)) return std::nullopt;
  const std::string target = name.substr(before.size(), name.size() - before.size() - after.size());
  if (leftover.parent_path().filename() != "checkpoints" || !CheckpointStep(target)) return std::nullopt;
  return (leftover.parent_path() / target).string();
}

// Renamed first: a folder that is half deleted is no checkpoint.
absl::Status Remove(const std::string& run, int64_t step) {
  const fs::path from = CheckpointPath(run, step);
  const fs::path to = fs::path(FolderOf(run)) / absl::StrCat(".tmp-deleted-", CheckpointName(step));
  std::error_code error;
  fs::remove_all(to, error);
  fs::rename(from, to, error);
  if (error) return IoError(error.value(), absl::StrCat(CheckpointName(step), " cannot be deleted"));
  fs::remove_all(to, error);
  return absl::OkStatus();
}

}  // namespace

std::string CheckpointName(int64_t step) { return absl::StrFormat("%s%09d", kPrefix, step); }

std::optional<int64_t> CheckpointStep(const std::string& name) {
  int64_t step = 0;
  if (!name.starts_with(kPrefix) || !absl::SimpleAtoi(name.substr(sizeof(kPrefix) - 1), &step) || step < 0)
    return std::nullopt;
  return CheckpointName(step) == name ? std::optional(step) : std::nullopt;
}

std::string CheckpointPath(const std::string& run, int64_t step) {
  return absl::StrCat(FolderOf(run), "/", CheckpointName(step));
}
std::string ValidationPath(const std::string& run, int64_t step) {
  return absl::StrCat(run, "/", kValidationsFolder, "/", CheckpointName(step));
}

absl::StatusOr<int64_t> SaveRunCheckpoint(const std::string& run, const RunCheckpoint& checkpoint) {
  std::error_code error;
  IP2P_RETURN_IF_ERROR(MakeFolder(FolderOf(run), "the folder of checkpoints"));
  const std::string target = CheckpointPath(run, checkpoint.state.step);
  const bool replaces = fs::exists(target, error);
  IP2P_ASSIGN_OR_RETURN(AtomicFolder folder, AtomicFolder::Create(target, replaces));
  int64_t total = 0;
  nlohmann::ordered_json files = nlohmann::ordered_json::object();
  for (const auto& [file, tensors] : kParts) {
    if ((checkpoint.*tensors).empty()) continue;
    const std::string path = absl::StrCat(folder.path(), "/", file);
    IP2P_RETURN_IF_ERROR(WriteSafetensors(path, checkpoint.*tensors, {{"format", "pt"}}));
    int64_t bytes = 0;
    IP2P_ASSIGN_OR_RETURN(const std::string digest, DigestOf(path, file, bytes));
    files[file] = {{"sha256", digest}, {"bytes", bytes}};
    total += bytes;
  }
  const std::string state = StateText(checkpoint.state, files);
  IP2P_RETURN_IF_ERROR(WriteFileAtomically(absl::StrCat(folder.path(), "/", kStateFile), state));
  if (replaces && fs::exists(fs::path(target) / kPinnedFile, error))
    IP2P_RETURN_IF_ERROR(WriteFileAtomically(absl::StrCat(folder.path(), "/", kPinnedFile), ""));
  IP2P_RETURN_IF_ERROR(replaces ? folder.Replace() : folder.Publish());
  IP2P_RETURN_IF_ERROR(SetLatest(run, checkpoint.state.step));
  return total + static_cast<int64_t>(state.size());
}

absl::Status SetLatest(const std::string& run, int64_t step) {
  return WriteFileAtomically(absl::StrCat(FolderOf(run), "/", kLatestFile), CheckpointName(step) + "\n");
}

absl::StatusOr<std::vector<CheckpointEntry>> ListRunCheckpoints(const std::string& run) {
  std::vector<CheckpointEntry> entries;
  std::error_code error;
  fs::directory_iterator folder(FolderOf(run), error);
  if (error == std::errc::no_such_file_or_directory) return entries;
  for (; !error && folder != fs::directory_iterator(); folder.increment(error)) {
    const std::optional<int64_t> step = CheckpointStep(folder->path().filename().string());
    std::error_code ignored;
    if (!step.has_value() || !folder->is_directory(ignored)) continue;
    entries.push_back({.step = *step,
                       .path = folder->path().string(),
                       .pinned = fs::exists(folder->path() / kPinnedFile, ignored)});
  }
  if (error) return IoError(error.value(), "the checkpoints cannot be listed");
  std::ranges::sort(entries, std::ranges::greater(), &CheckpointEntry::step);
  return entries;
}

absl::StatusOr<RunCheckpoint> LoadRunCheckpoint(const std::string& run, std::optional<int64_t> step) {
  if (step.has_value()) return LoadOne(run, *step);
  IP2P_ASSIGN_OR_RETURN(const std::vector<CheckpointEntry> entries, ListRunCheckpoints(run));
  const std::optional<int64_t> latest = ReadLatest(run);
  if (entries.empty()) return absl::NotFoundError("the run has no checkpoint");
  absl::Status first_fault;
  for (const CheckpointEntry& entry : entries) {
    if (latest.has_value() && entry.step > *latest) continue;  // of a way that was given up
    absl::StatusOr<RunCheckpoint> loaded = LoadOne(run, entry.step);
    if (loaded.ok()) return loaded;
    Log(LogLevel::kWarning, "a checkpoint is passed over",
        {{"step", entry.step}, {"status", loaded.status().ToString()}});
    first_fault.Update(loaded.status());
  }
  if (first_fault.ok()) return absl::DataLossError("LATEST names a step before every checkpoint");
  return absl::DataLossError(absl::StrCat("no checkpoint is whole; the newest: ", first_fault.message()));
}

absl::StatusOr<CheckpointState> ParseCheckpointState(const std::string& text, int64_t step) {
  const std::string name = CheckpointName(step);
  const absl::StatusOr<nlohmann::json> json = ParseJsonObject(text);
  if (!json.ok()) return Damaged(name, json.status().message());
  CheckpointState state;
  IP2P_ASSIGN_OR_RETURN(state.run, StateOf(*json));
  if (state.run.step != step) return Damaged(name, "state.json speaks of another step");
  const auto files = json->find("files");
  if (files == json->end() || !files->is_object()) return Damaged(name, "state.json lists no files");
  for (const auto& [file, tensors] : kParts) {
    const auto entry = files->find(file);
    if (entry == files->end()) continue;  // no average is kept
    if (!entry->is_object()) return Damaged(name, "state.json lists no files");
    state.files.push_back({.name = file, .sha256 = TextOr(*entry, "sha256").value_or("")});
  }
  return state;
}

absl::Status CheckCheckpointFiles(const std::string& folder, const CheckpointState& state) {
  for (const CheckpointState::File& file : state.files)
    IP2P_RETURN_IF_ERROR(CheckFile(folder, CheckpointName(state.run.step), file));
  return absl::OkStatus();
}

std::vector<int64_t> StepsToRemove(std::span<const CheckpointEntry> entries, std::optional<int64_t> latest,
                                   int keep) {
  std::vector<int64_t> steps;
  int kept = 0;
  for (const CheckpointEntry& entry : entries) {
    if (entry.pinned) continue;
    if (entry.step == latest) {
      ++kept;
    } else if (latest.has_value() && entry.step > *latest) {  // of a way that was given up
      steps.push_back(entry.step);
    } else if (++kept > keep) {
      steps.push_back(entry.step);
    }
  }
  return steps;
}

absl::Status KeepLast(const std::string& run, int keep, const std::set<int64_t>& in_use) {
  IP2P_ASSIGN_OR_RETURN(const std::vector<CheckpointEntry> entries, ListRunCheckpoints(run));
  for (const int64_t step : StepsToRemove(entries, ReadLatest(run), keep)) {
    if (!in_use.contains(step)) IP2P_RETURN_IF_ERROR(Remove(run, step));
  }
  return absl::OkStatus();
}

void RemoveLeftovers(const std::string& run) {
  std::error_code error;
  std::vector<fs::path> leftovers;
  for (const std::string& parent : {FolderOf(run), run + "/export", run + "/validation"}) {
    for (fs::directory_iterator folder(parent, error); !error && folder != fs::directory_iterator();
         folder.increment(error)) {
      const std::string name = folder->path().filename().string();
      if (name.starts_with(".tmp-")) leftovers.push_back(folder->path());
    }
  }
  for (const fs::path& path : leftovers) {
    if (const std::optional<std::string> target = ReplacedBy(path)) (void)RestoreReplaced(*target);
    fs::remove_all(path, error);
  }
}

}  // namespace ip2p
