// `ip2p train logs`: a job's log lines on standard output, with --follow until the job ends, over restarts of
// the coordinator.
#include <memory>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "common/base/status_macros.h"
#include "common/rpc/status.h"
#include "ip2p/training/v1/training_service.grpc.pb.h"
#include "services/cli/log_mark.h"
#include "services/cli/print_json.h"
#include "services/cli/server_absence.h"
#include "services/cli/server_verb.h"
#include "services/cli/train_call.h"
#include "services/cli/train_commands.h"

namespace ip2p {
namespace {

namespace v1 = training::v1;

struct LogFlags {
  ServerFlags server;
  bool json = false;
  std::string job;
  std::optional<int> rank;
  std::optional<int> tail;
  bool follow = false;
  double reconnect_seconds = 600;
};

absl::Status Print(const v1::LogLine& line, bool json, std::ostream& out) {
  if (json) return PrintJsonLine(line, out);
  const absl::Time time =
      absl::FromUnixSeconds(line.time().seconds()) + absl::Nanoseconds(line.time().nanos());
  out << absl::FormatTime("%Y-%m-%d %H:%M:%E3S", time, absl::UTCTimeZone())
      << absl::StreamFormat(" rank %d  %s\n", line.rank(), line.text());
  return absl::OkStatus();
}

// One stream, to its end. It tells nothing until there is a line.
absl::Status ReadOn(const Connection& connection, const v1::StreamLogsRequest& request, const LogFlags& flags,
                    LogMark& mark, ServerAbsence& absence, Console& console) {
  grpc::ClientContext context;
  connection.Prepare(context, absl::InfiniteDuration());
  const Cancellation::Scope scope(console.cancellation, [&context] { context.TryCancel(); });
  const auto stub = v1::TrainingService::NewStub(connection.channel);
  const auto reader = stub->StreamLogs(&context, request);
  v1::StreamLogsResponse part;
  absl::Status printed;
  while (printed.ok() && reader->Read(&part)) {
    absence.Heard();
    for (const v1::LogLine& line : part.lines()) {
      if (printed.ok() && mark.Take(line)) printed = Print(line, flags.json, console.out);
    }
    console.out << std::flush;
  }
  if (!printed.ok()) context.TryCancel();
  const absl::Status ended = FromGrpc(reader->Finish());
  return printed.ok() ? ended : printed;
}

// Whether there is such a job, and a coordinator that knows it.
absl::Status Find(const Connection& connection, const std::string& job, Console& console) {
  grpc::ClientContext context;
  connection.Prepare(context, kTrainAskTimeout);
  const Cancellation::Scope scope(console.cancellation, [&context] { context.TryCancel(); });
  v1::GetJobRequest request;
  request.set_job_id(job);
  v1::GetJobResponse answer;
  return FromGrpc(v1::TrainingService::NewStub(connection.channel)->GetJob(&context, request, &answer));
}

absl::Status Logs(const LogFlags& flags, Console& console) {
  IP2P_ASSIGN_OR_RETURN(const Connection connection, Connect(flags.server));
  IP2P_RETURN_IF_ERROR(Find(connection, flags.job, console));
  v1::StreamLogsRequest request;
  request.set_job_id(flags.job);
  if (flags.rank) request.set_rank(*flags.rank);
  if (flags.tail) request.set_tail(*flags.tail);
  request.set_follow(flags.follow);
  LogMark mark;
  ServerAbsence absence(console, connection.channel, absl::Seconds(flags.reconnect_seconds));
  while (true) {
    const absl::Status ended = ReadOn(connection, request, flags, mark, absence, console);
    if (console.cancellation.cancelled()) return absl::CancelledError("no longer followed; the job goes on");
    if (ended.ok() || !flags.follow) return ended;
    if (absence.tries() == 0 && ServerAbsence::MayPass(ended)) {
      console.err << "the coordinator is away (" << ended.message() << "); trying again\n" << std::flush;
    }
    IP2P_RETURN_IF_ERROR(absence.Wait(ended));
    // All of it again, so that what was written meanwhile isn't missed. Only of a log whose lines so far were
    // not wanted and none has come since, the end is all that can be told apart.
    if (mark.empty() && flags.tail == 0) continue;
    request.clear_tail();
    mark.Restart(flags.tail.has_value());
  }
}

}  // namespace

void AddTrainLogs(CLI::App& noun, Console& console, Chosen& chosen) {
  const auto flags = std::make_shared<LogFlags>();
  CLI::App* logs =
      AddServerVerb(noun, "logs", "Print a job's log, oldest line first", flags, Logs, console, chosen);
  logs->add_option("id", flags->job, "The job")->required();
  logs->add_option("--rank", flags->rank, "Only this worker's lines");
  logs->add_option("--tail", flags->tail, "Only the last lines")->check(CLI::Range(0, 100000));
  logs->add_flag("-f,--follow", flags->follow, "Wait for new lines until the job ends");
  logs->add_option("--reconnect-seconds", flags->reconnect_seconds,
                   "With --follow: how long a coordinator that went away is waited for")
      ->check(CLI::Range(0.0, 86400.0))
      ->capture_default_str();
}

}  // namespace ip2p
