// Workers as processes of this machine. They outlive the coordinator; the next one finds them again by their
// command line, and from then on by process id and start time, so that a reused id is no worker.
#pragma once

#include <sys/types.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "services/training_coordinator/job_folders.h"
#include "services/training_coordinator/launcher.h"

namespace ip2p::training_coordinator {

struct LocalLauncherOptions {
  std::string program;                   // of a worker
  std::vector<std::string> environment;  // NAME=VALUE, over this process's own
};

// A process, not its number.
struct ProcessId {
  pid_t pid = 0;
  int64_t start = 0;  // clock ticks since the machine's start
  friend bool operator==(const ProcessId&, const ProcessId&) = default;
};

// When a process started; nothing when there is none, or only its remains (a zombie).
std::optional<int64_t> StartOfProcess(pid_t pid);
// The live workers of a launch by rank, out of /proc. Only this user's.
std::map<int, ProcessId> FindWorkers(const LaunchKey& key);

class LocalLauncher final : public Launcher {
 public:
  LocalLauncher(LocalLauncherOptions options, const std::string& data_dir)
      : options_(std::move(options)), folders_(data_dir) {}

  void SetAddress(const std::string& address) override { address_ = address; }
  void Launch(const LaunchOrder& order) override;
  void Adopt(const LaunchOrder& order) override;
  LaunchState Look(const LaunchKey& key) override;
  void Stop(const LaunchKey& key, bool kill) override;
  void Forget(const LaunchKey& key) override { groups_.erase(key); }

 private:
  struct Worker {
    ProcessId process;
    bool child = false;  // of this process: its exit code will be known
    std::optional<int> exit;
  };
  struct Group {
    std::map<int, Worker> workers;  // by rank
    int world_size = 0;
    absl::Status error;
  };

  absl::Status Start(const LaunchOrder& order, int rank, Worker& worker) const;
  std::vector<std::string> Arguments(const LaunchOrder& order, int rank) const;
  std::vector<std::string> Environment(const LaunchOrder& order, int rank) const;

  const LocalLauncherOptions options_;
  const JobFolders folders_;
  std::string address_;
  std::map<LaunchKey, Group> groups_;
};

}  // namespace ip2p::training_coordinator
