// `ip2p train pause`, `resume`, `cancel` and `delete`: they return when it is done.
#include <memory>
#include <optional>

#include "absl/strings/str_cat.h"
#include "services/cli/print_json.h"
#include "services/cli/server_verb.h"
#include "services/cli/train_call.h"
#include "services/cli/train_commands.h"
#include "services/cli/train_text.h"

namespace ip2p {
namespace {

namespace v1 = training::v1;
using Stub = v1::TrainingService::Stub;

struct MoveFlags {
  ServerFlags server;
  bool json = false;
  std::string job;
  std::optional<int64_t> from_step;
  bool save_checkpoint = false;
};

// Asks for a move and tells where the job then stands: "first-ab12 is paused: step 500 of 1000, loss 0.12".
template <typename Request, typename Answer>
absl::Status Move(const MoveFlags& flags, Console& console, absl::Duration timeout, Request request,
                  grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Answer*)) {
  request.set_job_id(flags.job);
  Answer answer;
  IP2P_RETURN_IF_ERROR(AskTraining(flags.server, console, timeout, request, method, &answer));
  if (flags.json) return PrintJson(answer, console.out);
  const std::string figures = FiguresText(answer.job());
  console.out << answer.job().id() << " is " << StandText(answer.job()) << (figures.empty() ? "" : ": ")
              << figures << "\n";
  return absl::OkStatus();
}

absl::Status Pause(const MoveFlags& flags, Console& console) {
  return Move(flags, console, kTrainSaveTimeout, v1::PauseJobRequest(), &Stub::PauseJob);
}

absl::Status Resume(const MoveFlags& flags, Console& console) {
  v1::ResumeJobRequest request;
  if (flags.from_step) request.set_from_step(*flags.from_step);
  return Move(flags, console, kTrainAskTimeout, request, &Stub::ResumeJob);
}

absl::Status Cancel(const MoveFlags& flags, Console& console) {
  v1::CancelJobRequest request;
  request.set_save_checkpoint(flags.save_checkpoint);
  return Move(flags, console, kTrainSaveTimeout, request, &Stub::CancelJob);
}

absl::Status Delete(const MoveFlags& flags, Console& console) {
  v1::DeleteJobRequest request;
  request.set_job_id(flags.job);
  v1::DeleteJobResponse answer;
  IP2P_RETURN_IF_ERROR(
      AskTraining(flags.server, console, kTrainSaveTimeout, request, &Stub::DeleteJob, &answer));
  if (flags.json) return PrintJson(answer, console.out);
  console.out << flags.job << " is deleted\n";
  return absl::OkStatus();
}

}  // namespace

void AddTrainMoves(CLI::App& noun, Console& console, Chosen& chosen) {
  const auto flags = std::make_shared<MoveFlags>();
  const auto add = [&](const char* verb, const char* about, absl::Status (*run)(const MoveFlags&, Console&)) {
    CLI::App* command = AddServerVerb(noun, verb, about, flags, run, console, chosen);
    command->add_option("id", flags->job, "The job")->required();
    return command;
  };
  add("pause", "Save a checkpoint of a running job, stop its workers and free their slots", Pause);
  add("resume", "Queue a paused job again", Resume)
      ->add_option("--from-step", flags->from_step,
                   "Checkpoint to go on from, by its step (default: the newest)");
  add("cancel", "Stop a job for good", Cancel)
      ->add_flag("--save-checkpoint", flags->save_checkpoint, "Save one first, when it runs");
  add("delete", "Forget a job that has ended, with its logs and unpromoted checkpoints", Delete);
}

}  // namespace ip2p
