// What is set by text becomes values; what fits none is listed.
#include "services/training_worker/config.h"

#include <climits>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/object_store/object_url.h"
#include "common/rpc/server_settings.h"
#include "common/storage/read_file.h"

namespace ip2p::training_worker {
namespace {

constexpr size_t kMaxTokenBytes = 4096;

void Declare(Settings& settings, WorkerConfig& c, std::string& token_file, std::string& log_level) {
  settings.Add("spec", &c.spec_file,
               "JSON file of a job (ip2p.training.v1.JobSpec), to train without a coordinator");
  settings.Add(
      "run_dir", &c.run_dir,
      "folder of the run: checkpoints, metrics, exports; with --coordinator of all runs of this machine, "
      "of jobs with a mirror; default there: jobs/ in data_dir");
  settings.Add("mirror", &c.mirror,
               "s3:// URL where the run is kept as well, to go on from elsewhere; with --spec");
  settings.Add("max_steps", &c.max_steps, 0, INT_MAX, "steps in the place of the spec's; 0: the spec's");
  settings.Add("store_host", &c.store_host, "where rank 0 of a group without a coordinator serves");
  settings.Add("store_port", &c.store_port, 0, 65535, "its port, of more than one rank");
  settings.Add("coordinator", &c.coordinator, "HOST:PORT of the training coordinator");
  settings.Add("job", &c.job, "id of the job to take part in");
  settings.Add("epoch", &c.epoch, 0, INT_MAX, "the launch this worker belongs to");
  settings.Add("data_dir", &c.data_dir, "the coordinator's data folder");
  settings.Add("token_file", &token_file, "file of the job's token; else IP2P_JOB_TOKEN");
  settings.Add("tls_ca_file", &c.tls_ca_file, "PEM roots of the coordinator's certificate; turns TLS on");
  settings.Add("host", &c.host, "name or address that the other ranks reach this one at");
  settings.Add("join_seconds", &c.join_seconds, 1, 86400, "how long to wait for the others");
  settings.Add("rank", &c.rank, 0, 1023, "of this worker");
  settings.Add("world_size", &c.world_size, 1, 1024, "workers in all");
  settings.Add("device", &c.device, "cpu or cuda:N");
  settings.Add("threads", &c.threads, 0, 1024, "threads of one operation; 0: all");
  settings.Add("loader_threads", &c.loader_threads, 1, 64, "threads that read and decode examples");
  settings.Add(
      "peer_seconds", &c.peer_seconds, 1, 86400,
      "after which a rank that is there but silent is lost: more than a checkpoint and a validation take");
  settings.Add("clip", &c.clip, "folder of a CLIP that scores validation edits");
  settings.Add("metrics_listen", &c.metrics_listen, "HOST:PORT of /metrics; off: none");
  settings.Add("log_level", &log_level, "debug, info, warning or error");
}

void CheckMode(const WorkerConfig& c, std::vector<std::string>& faults) {
  if (c.attached() == !c.spec_file.empty())
    faults.push_back("the job is given twice or not at all; wants --spec FILE or --coordinator HOST:PORT");
  if (!c.spec_file.empty() && c.run_dir.empty()) faults.push_back("run_dir is empty; wants a folder");
  if (c.attached() && !c.mirror.empty())
    faults.push_back(
        absl::StrCat("mirror is \"", c.mirror, "\"; wants none with --coordinator, which names it"));
  if (!c.mirror.empty()) {
    if (const absl::Status url = ParseObjectUrl(c.mirror).status(); !url.ok())
      faults.push_back(absl::StrCat("mirror: ", url.message()));
  }
  if (c.attached() && c.job.empty()) faults.push_back("job is empty; wants a job's id");
  if (c.attached() && c.epoch < 1) faults.push_back("epoch is 0; wants the launch's number from 1");
  if (c.attached() && c.data_dir.empty())
    faults.push_back("data_dir is empty; wants the coordinator's folder");
  if (c.rank >= c.world_size)
    faults.push_back(absl::StrCat("rank is ", c.rank, "; wants 0..", c.world_size - 1));
  if (!c.attached() && c.world_size > 1 && c.store_port == 0)
    faults.push_back("store_port is 0; wants a port that all ranks know");
}

}  // namespace

absl::StatusOr<std::optional<WorkerConfig>> LoadWorkerConfig(const std::vector<std::string>& args,
                                                             const Settings::Environment& environment) {
  WorkerConfig config;
  std::string token_file, log_level = "info";
  Settings settings(
      "ip2p_training_worker: one rank of a training run. Exit codes: 0 done, 3 stopped as ordered, 42 "
      "another "
      "try would end alike, others: another try may go on.");
  // A pod of an Indexed Job is the rank of its index.
  if (const char* index = environment("JOB_COMPLETION_INDEX"); index != nullptr)
    (void)absl::SimpleAtoi(index, &config.rank);
  Declare(settings, config, token_file, log_level);
  std::vector<std::string> faults;
  if (!LoadOrPrint(settings, args, environment, "ip2p_training_worker " IP2P_VERSION, faults))
    return std::optional<WorkerConfig>();
  CheckMode(config, faults);
  if (config.metrics_listen == "off") config.metrics_listen.clear();
  ReadLogLevel(log_level, faults);
  if (!token_file.empty()) {
    const auto token = ReadFile(token_file, "token_file", kMaxTokenBytes);
    if (token.ok()) {
      config.token = std::string(absl::StripAsciiWhitespace(*token));
    } else {
      faults.push_back(std::string(token.status().message()));
    }
  } else if (const char* token = environment("IP2P_JOB_TOKEN")) {
    config.token = token;
  }
  if (!faults.empty()) return absl::InvalidArgumentError(absl::StrJoin(faults, "\n"));
  return std::optional<WorkerConfig>(std::move(config));
}

}  // namespace ip2p::training_worker
