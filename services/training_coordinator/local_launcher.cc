// posix_spawn: nothing of this process runs between fork and exec, and it has many threads.
#include "services/training_coordinator/local_launcher.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/base/log.h"

namespace ip2p::training_coordinator {
namespace {

namespace fs = std::filesystem;

std::vector<char*> Pointers(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

// The value behind a flag; empty when it isn't there.
std::string ValueOf(const std::vector<std::string>& arguments, absl::string_view flag) {
  for (size_t i = 0; i + 1 < arguments.size(); ++i) {
    if (arguments[i] == flag) return arguments[i + 1];
  }
  return "";
}

std::vector<std::string> CommandLine(const fs::path& folder) {
  std::ifstream file(folder / "cmdline", std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return absl::StrSplit(text.str(), '\0');
}

int ExitCode(int status) { return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status); }

absl::Status SpawnFault(int error) {
  const std::string text = absl::StrCat("the worker program can't be started: ", std::strerror(error));
  if (error == EAGAIN || error == ENOMEM || error == EMFILE || error == ENFILE) {
    return absl::ResourceExhaustedError(text);
  }
  return absl::FailedPreconditionError(text);
}

}  // namespace

// /proc/PID/stat: the name in parentheses may hold anything; the state is the first field behind it, the
// start the twentieth.
std::optional<int64_t> StartOfProcess(pid_t pid) {
  std::ifstream file(absl::StrCat("/proc/", pid, "/stat"));
  std::ostringstream text;
  text << file.rdbuf();
  const std::string stat = text.str();
  const size_t name_end = stat.rfind(") ");
  if (name_end == std::string::npos) return std::nullopt;
  const std::vector<absl::string_view> fields =
      absl::StrSplit(absl::string_view(stat).substr(name_end + 2), ' ');
  constexpr size_t kStart = 19;
  int64_t start = 0;
  if (fields.size() <= kStart || fields[0] == "Z" || fields[0] == "X") return std::nullopt;
  if (!absl::SimpleAtoi(fields[kStart], &start)) return std::nullopt;
  return start;
}

std::map<int, ProcessId> FindWorkers(const LaunchKey& key) {
  std::map<int, ProcessId> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("/proc", error)) {
    pid_t pid = 0;
    if (!absl::SimpleAtoi(entry.path().filename().string(), &pid) || pid == getpid()) continue;
    struct stat owner {};
    if (stat(entry.path().c_str(), &owner) != 0 || owner.st_uid != geteuid()) continue;
    const std::vector<std::string> arguments = CommandLine(entry.path());
    int rank = 0;
    if (ValueOf(arguments, "--job") != key.job_id ||
        ValueOf(arguments, "--epoch") != absl::StrCat(key.epoch) ||
        !absl::SimpleAtoi(ValueOf(arguments, "--rank"), &rank)) {
      continue;
    }
    if (const std::optional<int64_t> start = StartOfProcess(pid)) found[rank] = {pid, *start};
  }
  return found;
}

std::vector<std::string> LocalLauncher::Arguments(const LaunchOrder& order, int rank) const {
  return {options_.program,
          "--coordinator",
          address_,
          "--job",
          order.key.job_id,
          "--epoch",
          absl::StrCat(order.key.epoch),
          "--rank",
          absl::StrCat(rank),
          "--world-size",
          absl::StrCat(order.world_size),
          "--data-dir",
          folders_.data_dir(),
          "--token-file",
          folders_.TokenFile(order.key.job_id)};
}

// This process's own settings, passwords among them, are none of the workers'.
std::vector<std::string> LocalLauncher::Environment(const LaunchOrder& order, int rank) const {
  std::vector<std::string> variables;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    if (absl::StartsWith(*variable, "IP2P_") || absl::StartsWith(*variable, "PG")) continue;
    if (order.gpu && absl::StartsWith(*variable, "CUDA_VISIBLE_DEVICES=")) continue;
    variables.emplace_back(*variable);
  }
  variables.push_back(absl::StrCat("IP2P_THREADS=", order.threads));
  variables.push_back(absl::StrCat("IP2P_DEVICE=", order.gpu ? "cuda:0" : "cpu"));
  if (order.gpu) {
    variables.push_back(absl::StrCat("CUDA_VISIBLE_DEVICES=", order.slots[static_cast<size_t>(rank)]));
  }
  variables.insert(variables.end(), options_.environment.begin(), options_.environment.end());
  return variables;
}

absl::Status LocalLauncher::Start(const LaunchOrder& order, int rank, Worker& worker) const {
  std::vector<std::string> arguments = Arguments(order, rank);
  std::vector<std::string> variables = Environment(order, rank);
  const std::string output = absl::StrCat(folders_.LogFolder(order.key.job_id), "/worker-", rank, ".out");
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  const absl::Cleanup free_both = [&] {
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
  };
  posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, output.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0666);
  posix_spawn_file_actions_adddup2(&files, STDOUT_FILENO, STDERR_FILENO);
  posix_spawn_file_actions_addclosefrom_np(&files, STDERR_FILENO + 1);
  sigset_t none;
  sigset_t all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);  // this process blocks SIGTERM and SIGINT
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setpgroup(&attributes, 0);  // a group of its own: it outlives this process and its terminal
  posix_spawnattr_setflags(&attributes,
                           POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  pid_t pid = 0;
  const int error = posix_spawn(&pid, options_.program.c_str(), &files, &attributes,
                                Pointers(arguments).data(), Pointers(variables).data());
  if (error != 0) return SpawnFault(error);
  worker.process = {pid, StartOfProcess(pid).value_or(0)};
  worker.child = true;
  Log(LogLevel::kInfo, "worker started",
      {{"job", order.key.job_id}, {"epoch", order.key.epoch}, {"rank", rank}, {"pid", int64_t{pid}}});
  return absl::OkStatus();
}

void LocalLauncher::Adopt(const LaunchOrder& order) {
  Group& group = groups_[order.key];
  group.world_size = order.world_size;
  for (const auto& [rank, process] : FindWorkers(order.key)) {
    if (group.workers.contains(rank)) continue;
    group.workers[rank] = {.process = process};
    Log(LogLevel::kInfo, "worker found",
        {{"job", order.key.job_id},
         {"epoch", order.key.epoch},
         {"rank", rank},
         {"pid", int64_t{process.pid}}});
  }
}

void LocalLauncher::Launch(const LaunchOrder& order) {
  Adopt(order);
  Group& group = groups_[order.key];
  for (int rank = 0; rank < order.world_size && group.error.ok(); ++rank) {
    if (group.workers.contains(rank)) continue;
    Worker worker;
    group.error = Start(order, rank, worker);
    if (group.error.ok()) group.workers[rank] = worker;
  }
}

LaunchState LocalLauncher::Look(const LaunchKey& key) {
  LaunchState state;
  state.gone = true;
  const auto found = groups_.find(key);
  if (found == groups_.end()) return state;
  state.error = found->second.error;
  for (auto& [rank, worker] : found->second.workers) {
    if (!worker.exit) {
      int status = 0;
      if (worker.child) {
        const pid_t ended = waitpid(worker.process.pid, &status, WNOHANG);
        if (ended == worker.process.pid) worker.exit = ExitCode(status);
        if (ended < 0) worker.exit = -1;
      } else if (StartOfProcess(worker.process.pid) != worker.process.start) {
        worker.exit = -1;
      }
    }
    if (worker.exit) {
      state.exits[rank] = *worker.exit;
    } else {
      state.gone = false;
    }
  }
  // A rank that wasn't found again has ended without anybody seeing how.
  for (int rank = 0; rank < found->second.world_size && state.error.ok(); ++rank) {
    if (!found->second.workers.contains(rank)) state.exits[rank] = -1;
  }
  return state;
}

void LocalLauncher::Stop(const LaunchKey& key, bool kill_them) {
  const auto found = groups_.find(key);
  if (found == groups_.end()) return;
  for (const auto& [rank, worker] : found->second.workers) {
    if (worker.exit) continue;
    // A child's number can't be reused before it was waited for; another's is looked at first.
    if (!worker.child && StartOfProcess(worker.process.pid) != worker.process.start) continue;
    kill(-worker.process.pid, kill_them ? SIGKILL : SIGTERM);
  }
}

}  // namespace ip2p::training_coordinator
