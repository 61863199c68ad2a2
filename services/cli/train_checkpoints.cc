// `ip2p train checkpoints`, `save` and `promote`.
#include <memory>
#include <optional>

#include "services/cli/print_json.h"
#include "services/cli/server_verb.h"
#include "services/cli/train_call.h"
#include "services/cli/train_commands.h"
#include "services/cli/train_text.h"

namespace ip2p {
namespace {

namespace v1 = training::v1;
using Stub = v1::TrainingService::Stub;

struct CheckpointFlags {
  ServerFlags server;
  bool json = false;
  std::string job;
  int page_size = 100;
  std::string page_token;
  std::optional<int64_t> step;
  std::string model;
};

absl::Status List(const CheckpointFlags& flags, Console& console) {
  v1::ListCheckpointsRequest request;
  request.set_job_id(flags.job);
  request.set_page_size(flags.page_size);
  request.set_page_token(flags.page_token);
  v1::ListCheckpointsResponse answer;
  IP2P_RETURN_IF_ERROR(
      AskTraining(flags.server, console, kTrainAskTimeout, request, &Stub::ListCheckpoints, &answer));
  if (flags.json) return PrintJson(answer, console.out);
  console.out << CheckpointsText({answer.checkpoints().pointer_begin(), answer.checkpoints().pointer_end()});
  if (!answer.next_page_token().empty())
    console.err << "more: --page-token " << answer.next_page_token() << "\n";
  return absl::OkStatus();
}

absl::Status Save(const CheckpointFlags& flags, Console& console) {
  v1::SaveCheckpointRequest request;
  request.set_job_id(flags.job);
  v1::SaveCheckpointResponse answer;
  IP2P_RETURN_IF_ERROR(
      AskTraining(flags.server, console, kTrainSaveTimeout, request, &Stub::SaveCheckpoint, &answer));
  if (flags.json) return PrintJson(answer, console.out);
  console.out << CheckpointsText({&answer.checkpoint()});
  return absl::OkStatus();
}

absl::Status Promote(const CheckpointFlags& flags, Console& console) {
  v1::PromoteCheckpointRequest request;
  request.set_job_id(flags.job);
  if (flags.step) request.set_step(*flags.step);
  request.set_model(flags.model);
  v1::PromoteCheckpointResponse answer;
  IP2P_RETURN_IF_ERROR(
      AskTraining(flags.server, console, kTrainSaveTimeout, request, &Stub::PromoteCheckpoint, &answer));
  if (flags.json) return PrintJson(answer, console.out);
  console.out << answer.model() << " serves step " << answer.checkpoint().step() << " of " << flags.job
              << "\n";
  return absl::OkStatus();
}

}  // namespace

void AddTrainCheckpoints(CLI::App& noun, Console& console, Chosen& chosen) {
  const auto flags = std::make_shared<CheckpointFlags>();
  const auto add = [&](const char* verb, const char* about,
                       absl::Status (*run)(const CheckpointFlags&, Console&)) {
    CLI::App* command = AddServerVerb(noun, verb, about, flags, run, console, chosen);
    command->add_option("id", flags->job, "The job")->required();
    return command;
  };
  CLI::App* list = add("checkpoints", "List a job's checkpoints, newest first", List);
  list->add_option("--page-size", flags->page_size, "Checkpoints to list")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  list->add_option("--page-token", flags->page_token, "Where the page before ended");
  add("save", "Save a checkpoint of a running job now, and wait for it", Save);
  CLI::App* promote = add("promote", "Have the edit server serve a checkpoint", Promote);
  promote->add_option("--step", flags->step, "Checkpoint, by its step (default: the newest)");
  promote->add_option("--model", flags->model,
                      "Edit model that it becomes (default: the edit server's default model)");
}

}  // namespace ip2p
