// `ip2p train status` and `ip2p train list`.
#include <map>
#include <memory>
#include <vector>

#include "services/cli/print_json.h"
#include "services/cli/server_verb.h"
#include "services/cli/train_call.h"
#include "services/cli/train_commands.h"
#include "services/cli/train_text.h"

namespace ip2p {
namespace {

namespace v1 = training::v1;

const std::map<std::string, v1::JobState>& States() {
  static const auto* const states = [] {
    auto* all = new std::map<std::string, v1::JobState>;
    for (int i = v1::JOB_STATE_QUEUED; i <= v1::JobState_MAX; ++i) {
      const auto state = static_cast<v1::JobState>(i);
      all->emplace(StateText(state), state);
    }
    return all;
  }();
  return *states;
}

struct JobsFlags {
  ServerFlags server;
  bool json = false;
  std::string job;
  std::vector<std::string> states;
  int page_size = 20;
  std::string page_token;
};

absl::Status Status(const JobsFlags& flags, Console& console) {
  v1::GetJobRequest request;
  request.set_job_id(flags.job);
  v1::GetJobResponse answer;
  IP2P_RETURN_IF_ERROR(AskTraining(flags.server, console, kTrainAskTimeout, request,
                                   &v1::TrainingService::Stub::GetJob, &answer));
  if (flags.json) return PrintJson(answer, console.out);
  console.out << JobText(answer.job());
  return absl::OkStatus();
}

absl::Status List(const JobsFlags& flags, Console& console) {
  v1::ListJobsRequest request;
  for (const std::string& state : flags.states) request.add_states(States().at(state));
  request.set_page_size(flags.page_size);
  request.set_page_token(flags.page_token);
  v1::ListJobsResponse answer;
  IP2P_RETURN_IF_ERROR(AskTraining(flags.server, console, kTrainAskTimeout, request,
                                   &v1::TrainingService::Stub::ListJobs, &answer));
  if (flags.json) return PrintJson(answer, console.out);
  console.out << JobsText({answer.jobs().pointer_begin(), answer.jobs().pointer_end()});
  if (!answer.next_page_token().empty())
    console.err << "more: --page-token " << answer.next_page_token() << "\n";
  return absl::OkStatus();
}

}  // namespace

void AddTrainJobs(CLI::App& noun, Console& console, Chosen& chosen) {
  const auto flags = std::make_shared<JobsFlags>();
  AddServerVerb(noun, "status", "Show where a job stands", flags, Status, console, chosen)
      ->add_option("id", flags->job, "The job")
      ->required();
  CLI::App* list = AddServerVerb(noun, "list", "List jobs, newest first", flags, List, console, chosen);
  std::vector<std::string> names;
  names.reserve(States().size());
  for (const auto& [name, state] : States()) names.push_back(name);
  list->add_option("--state", flags->states, "Only jobs in this state; may be given often")
      ->check(CLI::IsMember(names));
  list->add_option("--page-size", flags->page_size, "Jobs to list")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  list->add_option("--page-token", flags->page_token, "Where the page before ended");
}

}  // namespace ip2p
