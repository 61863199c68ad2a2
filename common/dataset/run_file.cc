#include "common/dataset/run_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <span>
#include <system_error>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/status_macros.h"
#include "common/dataset/json_text.h"
#include "common/dataset/prompt_folder.h"
#include "common/storage/atomic_file.h"
#include "common/storage/io_error.h"
#include "common/storage/new_file.h"
#include "common/storage/read_file.h"
#include "common/storage/temp_file.h"

namespace ip2p {
namespace {

namespace fs = std::filesystem;

constexpr const char* kName = "run.json";
constexpr size_t kMaxBytes = 1 << 20;

std::string Pathed(const std::string& dataset, const std::string& name) {
  return absl::StrCat(dataset, "/", name);
}

std::string ValueText(const RunSettings& settings, const std::string& key) {
  const auto found = settings.find(key);
  return absl::StrCat(key, " ", found == settings.end() ? "absent" : found->dump());
}

constexpr std::string_view kDataset = "the dataset";

// With `all`, what only `found` has differs, too.
absl::Status Compare(std::string_view what, const RunSettings& found, const RunSettings& wanted, bool all) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : wanted.items()) {
    if (!found.contains(key) || found[key] != value) keys.push_back(key);
  }
  for (const auto& [key, value] : found.items()) {
    if (all && !wanted.contains(key)) keys.push_back(key);
  }
  if (keys.empty()) return absl::OkStatus();
  const auto list = [&keys](const RunSettings& settings) {
    return absl::StrJoin(keys, ", ", [&settings](std::string* out, const std::string& key) {
      absl::StrAppend(out, ValueText(settings, key));
    });
  };
  return absl::FailedPreconditionError(absl::StrCat(
      absl::string_view(what.data(), what.size()), " was made with ", list(found), "; wants ", list(wanted)));
}

// A folder that others filled must not be mixed with what this run makes.
absl::StatusOr<bool> HoldsPrompts(const std::string& dataset) {
  std::error_code error;
  for (fs::directory_iterator it(dataset, error), end; !error && it != end; it.increment(error)) {
    if (PromptIndexOf(it->path().filename().string()).has_value()) return true;
  }
  if (error) return IoError(error.value(), "the dataset cannot be listed");
  return false;
}

absl::Status SyncFolder(const std::string& dataset) {
  const int fd = ::open(dataset.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return IoError(errno, "the dataset cannot be opened");
  const absl::Cleanup close = [fd] { ::close(fd); };
  return ::fsync(fd) == 0 ? absl::OkStatus() : IoError(errno, "the dataset cannot be synced");
}

// False when there is one now.
absl::StatusOr<bool> WriteNew(const std::string& dataset, const RunSettings& settings,
                              const std::string& temporary) {
  const std::string path = Pathed(dataset, temporary);
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (fd < 0) return IoError(errno, "run.json cannot be created");
  const absl::Cleanup remove = [fd, &path] {
    ::close(fd);
    ::unlink(path.c_str());
  };
  const std::string text = RunFileText(settings);
  IP2P_RETURN_IF_ERROR(WriteFully(fd, 0, std::as_bytes(std::span(text))));
  if (::fsync(fd) != 0) return IoError(errno, "run.json cannot be synced");
  if (RenameNew(path, Pathed(dataset, kName)) != 0) {
    if (errno == EEXIST) return false;
    return IoError(errno, "run.json cannot be renamed into place");
  }
  IP2P_RETURN_IF_ERROR(SyncFolder(dataset));
  return true;
}

}  // namespace

absl::Status CompareSettings(std::string_view what, const RunSettings& found, const RunSettings& wanted) {
  return Compare(what, found, wanted, /*all=*/true);
}

absl::Status CompareKnownSettings(const RunSettings& found, const RunSettings& known) {
  return Compare(kDataset, found, known, /*all=*/false);
}

std::string RunFileText(const RunSettings& settings) { return settings.dump(2) + "\n"; }

absl::StatusOr<RunSettings> ReadRunFile(const std::string& dataset) {
  IP2P_ASSIGN_OR_RETURN(const std::string text, ReadFile(Pathed(dataset, kName), kName, kMaxBytes));
  return ParseRunFile(text);
}

absl::StatusOr<RunSettings> ParseRunFile(std::string_view text) {
  const absl::StatusOr<nlohmann::json> parsed = ParseJsonObject(text);
  if (!parsed.ok()) return absl::DataLossError("run.json is damaged; wants a JSON object");
  return RunSettings(*parsed);
}

absl::Status AgreeOnRun(const std::string& dataset, const RunSettings& settings,
                        const std::string& temporary) {
  absl::StatusOr<RunSettings> found = ReadRunFile(dataset);
  if (absl::IsNotFound(found.status())) {
    IP2P_ASSIGN_OR_RETURN(const bool holds_prompts, HoldsPrompts(dataset));
    // Another partition may have written both meanwhile.
    found = ReadRunFile(dataset);
    if (absl::IsNotFound(found.status())) {
      if (holds_prompts) {
        return absl::FailedPreconditionError(
            "the output folder holds prompts and no run.json; wants a new folder, or one of this system's");
      }
      IP2P_ASSIGN_OR_RETURN(const bool written, WriteNew(dataset, settings, temporary));
      if (written) return absl::OkStatus();
      found = ReadRunFile(dataset);
    }
  }
  if (!found.ok()) return found.status();
  return Compare(kDataset, *found, settings, /*all=*/true);
}

absl::Status CheckRun(const std::string& dataset, const RunSettings& known) {
  const absl::StatusOr<RunSettings> found = ReadRunFile(dataset);
  if (absl::IsNotFound(found.status())) return absl::OkStatus();
  if (!found.ok()) return found.status();
  return CompareKnownSettings(*found, known);
}

absl::Status ReplaceRunFile(const std::string& dataset, const RunSettings& settings) {
  return WriteFileAtomically(Pathed(dataset, kName), RunFileText(settings));
}

}  // namespace ip2p
