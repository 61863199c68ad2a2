// `ip2p train start`: queues a job, and with --watch follows it.
#include <memory>

#include "absl/strings/str_cat.h"
#include "common/base/random.h"
#include "services/cli/print_json.h"
#include "services/cli/server_verb.h"
#include "services/cli/train_call.h"
#include "services/cli/train_commands.h"
#include "services/cli/train_spec_flags.h"
#include "services/cli/train_text.h"
#include "services/cli/train_watch.h"

namespace ip2p {
namespace {

namespace v1 = training::v1;

struct StartFlags {
  ServerFlags server;
  bool json = false;
  SpecFlags spec;
  std::string request_id;
  bool watch = false;
  WatchFlags how;  // to watch
};

absl::Status Start(const StartFlags& flags, Console& console) {
  v1::SubmitJobRequest request;
  IP2P_ASSIGN_OR_RETURN(*request.mutable_spec(), ReadSpec(flags.spec, console.in));
  request.set_request_id(flags.request_id);
  if (flags.request_id.empty()) {
    request.set_request_id(RandomRequestId());
    // Told before the call: when its answer is lost, the job may be queued.
    console.err << "request id " << request.request_id() << "; with --request-id it is the same job again\n"
                << std::flush;
  }
  v1::SubmitJobResponse answer;
  IP2P_RETURN_IF_ERROR(AskTraining(flags.server, console, kTrainAskTimeout, request,
                                   &v1::TrainingService::Stub::SubmitJob, &answer));
  const v1::Job& job = answer.job();
  if (!flags.watch && flags.json) return PrintJson(answer, console.out);
  if (!flags.json) {
    console.err << job.spec().name() << " is " << StandText(job) << "\n";
    console.out << job.id() << "\n" << std::flush;
  }
  if (!flags.watch) return absl::OkStatus();
  WatchFlags watch = flags.how;
  watch.server = flags.server;
  watch.json = flags.json;
  watch.job = job.id();
  return WatchTraining(watch, console);
}

}  // namespace

void AddTrainStart(CLI::App& noun, Console& console, Chosen& chosen) {
  const auto flags = std::make_shared<StartFlags>();
  CLI::App* start =
      AddServerVerb(noun, "start", "Queue a training job; prints its id", flags, Start, console, chosen);
  AddSpecFlags(*start, flags->spec);
  start->add_option("--request-id", flags->request_id,
                    "Name of this order, [A-Za-z0-9-]: the same order twice is one job (default: drawn)");
  start->add_flag("--watch", flags->watch, "Follow the job until it ends, as watch does");
  AddWatchFlags(*start, flags->how);
}

}  // namespace ip2p
