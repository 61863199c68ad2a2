// `ip2p train watch`. The coordinator sends the newest state at once, so a stream that is opened again misses
// nothing that matters.
#include "services/cli/train_watch.h"

#include <memory>
#include <optional>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/rpc/status.h"
#include "ip2p/training/v1/training_service.grpc.pb.h"
#include "services/cli/server_absence.h"
#include "services/cli/server_verb.h"
#include "services/cli/train_commands.h"
#include "services/cli/train_reporter.h"
#include "services/cli/train_text.h"

namespace ip2p {
namespace {

namespace v1 = training::v1;

class Watch {
 public:
  Watch(const WatchFlags& flags, Connection connection, Console& console)
      : flags_(flags),
        connection_(std::move(connection)),
        stub_(v1::TrainingService::NewStub(connection_.channel)),
        console_(console),
        absence_(console, connection_.channel, absl::Seconds(flags.reconnect_seconds)) {
    request_.set_job_id(flags.job);
    request_.set_min_interval_ms(flags.interval_ms);
  }

  // Gives the job in its final state.
  absl::StatusOr<v1::Job> Run() {
    TrainReporter reporter(console_, flags_.json);
    while (true) {
      const absl::Status ended = Follow(reporter);
      if (console_.cancellation.cancelled()) break;
      if (job_ && IsFinal(job_->state())) return *std::move(job_);
      if (!job_) return ended.ok() ? NothingCame() : ended;  // an address that was never right
      // A stream that ends well before the job does is taken up again, too.
      const absl::Status fault = ended.ok() ? NothingCame() : ended;
      if (absence_.tries() == 0 && ServerAbsence::MayPass(fault)) {
        reporter.Say(absl::StrCat("the coordinator is away (", fault.message(), "); trying again"));
      }
      if (const absl::Status waited = absence_.Wait(fault); !waited.ok()) {
        if (console_.cancellation.cancelled()) break;
        return waited;
      }
    }
    return absl::CancelledError(
        absl::StrCat("no longer watched; the job goes on (ip2p train cancel ", flags_.job, " ends it)"));
  }

 private:
  static absl::Status NothingCame() {
    return absl::UnavailableError("the coordinator ended the stream before the job");
  }

  // One stream, to its end.
  absl::Status Follow(TrainReporter& reporter) {
    grpc::ClientContext context;
    connection_.Prepare(context, absl::InfiniteDuration());
    const Cancellation::Scope scope(console_.cancellation, [&context] { context.TryCancel(); });
    const auto reader = stub_->WatchJob(&context, request_);
    v1::WatchJobResponse event;
    absl::Status shown;
    while (shown.ok() && reader->Read(&event)) {
      if (absence_.Heard()) reporter.Say("the coordinator is back");
      job_ = event.job();
      shown = reporter.Show(*job_);
    }
    if (!shown.ok()) context.TryCancel();
    const absl::Status ended = FromGrpc(reader->Finish());
    return shown.ok() ? ended : shown;
  }

  const WatchFlags& flags_;
  const Connection connection_;
  const std::unique_ptr<v1::TrainingService::Stub> stub_;
  Console& console_;
  ServerAbsence absence_;
  v1::WatchJobRequest request_;
  std::optional<v1::Job> job_;  // as it stood last
};

}  // namespace

void AddWatchFlags(CLI::App& command, WatchFlags& flags) {
  command.add_option("--interval-ms", flags.interval_ms, "Least time between two reports, in milliseconds")
      ->check(CLI::Range(0, 60000))
      ->capture_default_str();
  command
      .add_option("--reconnect-seconds", flags.reconnect_seconds,
                  "How long a coordinator that went away is waited for")
      ->check(CLI::Range(0.0, 86400.0))
      ->capture_default_str();
}

absl::Status WatchTraining(const WatchFlags& flags, Console& console) {
  IP2P_ASSIGN_OR_RETURN(Connection connection, Connect(flags.server));
  IP2P_ASSIGN_OR_RETURN(const v1::Job job, Watch(flags, std::move(connection), console).Run());
  switch (job.state()) {
    case v1::JOB_STATE_SUCCEEDED:
      if (!flags.json) console.out << job.id() << " succeeded: " << FiguresText(job) << "\n";
      return absl::OkStatus();
    case v1::JOB_STATE_CANCELLED:
      return absl::CancelledError(absl::StrCat("job ", job.id(), " was cancelled"));
    default:
      return absl::UnknownError(absl::StrCat("job ", job.id(), " failed: ", job.error()));
  }
}

void AddTrainWatch(CLI::App& noun, Console& console, Chosen& chosen) {
  const auto flags = std::make_shared<WatchFlags>();
  CLI::App* watch = AddServerVerb(noun, "watch", "Follow a job until it ends; exit code 0 when it succeeded",
                                  flags, WatchTraining, console, chosen);
  watch->add_option("id", flags->job, "The job")->required();
  AddWatchFlags(*watch, *flags);
}

}  // namespace ip2p
