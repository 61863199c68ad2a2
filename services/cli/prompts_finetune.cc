// `ip2p prompts finetune`: starts and follows fine-tuning at the provider, by way of a prompt generator's
// server, which has the key.
#include <memory>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "common/base/hash128.h"
#include "common/base/status_macros.h"
#include "common/rpc/status.h"
#include "ip2p/prompt/v1/finetune_service.grpc.pb.h"
#include "services/cli/channel.h"
#include "services/cli/files.h"
#include "services/cli/print_json.h"
#include "services/cli/prompts_commands.h"
#include "services/cli/server_verb.h"

namespace ip2p {
namespace {

namespace pb = prompt::v1;

constexpr absl::Duration kAskTimeout = absl::Minutes(2);
constexpr absl::Duration kStartTimeout = absl::Minutes(30);  // two uploads of 20 MB
constexpr size_t kMaxFileBytes = 20'000'000;

struct FinetuneFlags {
  ServerFlags server;
  bool json = false;
  std::string id;
  int page_size = 20;
  std::string page_token;
  std::string training;
  std::string validation;
  std::string format;
  std::string base_model;
  int epochs = 0;  // 0: the provider's choice
  std::string suffix = "ip2p";
  std::string request_id;
};

std::string TimeText(const google::protobuf::Timestamp& time) {
  return absl::FormatTime("%Y-%m-%d %H:%M:%S", absl::FromUnixSeconds(time.seconds()), absl::UTCTimeZone());
}

std::string StateText(pb::FinetuneState state) {
  return absl::AsciiStrToLower(pb::FinetuneState_Name(state).substr(sizeof("FINETUNE_STATE_") - 1));
}

void PrintHeading(std::ostream& out) {
  out << absl::StreamFormat("%-32s %-11s %-19s %10s  %s\n", "ID", "STATE", "CREATED (UTC)", "TOKENS",
                            "MODEL");
}

void PrintRow(const pb::Finetune& job, std::ostream& out) {
  const std::string& model = job.fine_tuned_model().empty() ? job.base_model() : job.fine_tuned_model();
  out << absl::StreamFormat("%-32s %-11s %-19s %10d  %s\n", job.id(), StateText(job.state()),
                            TimeText(job.create_time()), job.trained_tokens(), model);
  if (!job.error().empty()) out << "  " << job.error() << "\n";
}

// One call from connection to parsed answer; Ctrl-C cancels it.
template <typename Request, typename Response>
absl::Status Ask(const FinetuneFlags& flags, Console& console, absl::Duration timeout, const Request& request,
                 grpc::Status (pb::FinetuneService::Stub::*method)(grpc::ClientContext*, const Request&,
                                                                   Response*),
                 Response* answer) {
  IP2P_ASSIGN_OR_RETURN(const Connection connection, Connect(flags.server));
  grpc::ClientContext context;
  connection.Prepare(context, timeout);
  const Cancellation::Scope scope(console.cancellation, [&context] { context.TryCancel(); });
  const auto stub = pb::FinetuneService::NewStub(connection.channel);
  return FromGrpc(((*stub).*method)(&context, request, answer));
}

absl::Status Print(const FinetuneFlags& flags, Console& console, const google::protobuf::Message& answer,
                   const pb::Finetune& job) {
  if (flags.json) return PrintJson(answer, console.out);
  PrintHeading(console.out);
  PrintRow(job, console.out);
  return absl::OkStatus();
}

absl::Status Start(const FinetuneFlags& flags, Console& console) {
  pb::StartFinetuneRequest request;
  IP2P_ASSIGN_OR_RETURN(*request.mutable_training_file(),
                        ReadInput(flags.training, kMaxFileBytes, console.in));
  if (!flags.validation.empty()) {
    IP2P_ASSIGN_OR_RETURN(*request.mutable_validation_file(), ReadWholeFile(flags.validation, kMaxFileBytes));
  }
  if (flags.format == "chat") request.set_format(pb::TRAINING_FORMAT_CHAT);
  if (flags.format == "completion") request.set_format(pb::TRAINING_FORMAT_COMPLETION);
  request.set_base_model(flags.base_model);
  request.set_suffix(flags.suffix);
  if (flags.epochs != 0) request.set_epochs(flags.epochs);
  request.set_request_id(flags.request_id);
  if (flags.request_id.empty()) {  // by what is asked for, so that the same command twice starts one job
    const Hash128 hash = HashText(request.SerializeAsString());
    request.set_request_id(absl::StrFormat("%016x%016x", hash.high, hash.low));
  }
  pb::StartFinetuneResponse answer;
  IP2P_RETURN_IF_ERROR(
      Ask(flags, console, kStartTimeout, request, &pb::FinetuneService::Stub::StartFinetune, &answer));
  return Print(flags, console, answer, answer.finetune());
}

absl::Status Status(const FinetuneFlags& flags, Console& console) {
  pb::GetFinetuneRequest request;
  request.set_id(flags.id);
  pb::GetFinetuneResponse answer;
  IP2P_RETURN_IF_ERROR(
      Ask(flags, console, kAskTimeout, request, &pb::FinetuneService::Stub::GetFinetune, &answer));
  return Print(flags, console, answer, answer.finetune());
}

absl::Status Cancel(const FinetuneFlags& flags, Console& console) {
  pb::CancelFinetuneRequest request;
  request.set_id(flags.id);
  pb::CancelFinetuneResponse answer;
  IP2P_RETURN_IF_ERROR(
      Ask(flags, console, kAskTimeout, request, &pb::FinetuneService::Stub::CancelFinetune, &answer));
  return Print(flags, console, answer, answer.finetune());
}

absl::Status List(const FinetuneFlags& flags, Console& console) {
  pb::ListFinetunesRequest request;
  request.set_page_size(flags.page_size);
  request.set_page_token(flags.page_token);
  pb::ListFinetunesResponse answer;
  IP2P_RETURN_IF_ERROR(
      Ask(flags, console, kAskTimeout, request, &pb::FinetuneService::Stub::ListFinetunes, &answer));
  if (flags.json) return PrintJson(answer, console.out);
  PrintHeading(console.out);
  for (const pb::Finetune& job : answer.finetunes()) PrintRow(job, console.out);
  if (!answer.next_page_token().empty())
    console.err << "more: --page-token " << answer.next_page_token() << "\n";
  return absl::OkStatus();
}

absl::Status Events(const FinetuneFlags& flags, Console& console) {
  pb::ListFinetuneEventsRequest request;
  request.set_id(flags.id);
  request.set_page_size(flags.page_size);
  request.set_page_token(flags.page_token);
  pb::ListFinetuneEventsResponse answer;
  IP2P_RETURN_IF_ERROR(
      Ask(flags, console, kAskTimeout, request, &pb::FinetuneService::Stub::ListFinetuneEvents, &answer));
  if (flags.json) return PrintJson(answer, console.out);
  for (const pb::FinetuneEvent& event : answer.events()) {
    console.out << TimeText(event.time()) << "  " << event.message() << "\n";
  }
  if (!answer.next_page_token().empty())
    console.err << "more: --page-token " << answer.next_page_token() << "\n";
  return absl::OkStatus();
}

void AddPageFlags(CLI::App& command, FinetuneFlags& flags) {
  command.add_option("--page-size", flags.page_size, "Most lines")
      ->check(CLI::Range(1, 100))
      ->capture_default_str();
  command.add_option("--page-token", flags.page_token, "Where the page before ended");
}

void AddStartFlags(CLI::App& command, FinetuneFlags& flags) {
  command.add_option("--training", flags.training, "What `ip2p prompts prepare` wrote, - for stdin")
      ->required();
  command.add_option("--validation", flags.validation, "The same for validation");
  command.add_option("--format", flags.format, "Shape of the files (default: by the base model)")
      ->check(CLI::IsMember({"completion", "chat"}));
  command.add_option("--base-model", flags.base_model, "Model to start from (default: the server's)");
  command.add_option("--epochs", flags.epochs, "Passes over the examples (default: the provider's choice)")
      ->check(CLI::Range(1, 50));
  command.add_option("--suffix", flags.suffix, "Part of the new model's name")->capture_default_str();
  command.add_option("--request-id", flags.request_id,
                     "Name of this order; the same order twice is one job (default: from what is ordered)");
}

}  // namespace

void AddPromptsFinetune(CLI::App& noun, Console& console, Chosen& chosen) {
  CLI::App* finetune = noun.add_subcommand("finetune", "Fine-tune the provider's model");
  finetune->require_subcommand(1);
  const auto flags = std::make_shared<FinetuneFlags>();
  const auto add = [&](const char* verb, const char* about,
                       absl::Status (*run)(const FinetuneFlags&, Console&)) {
    return AddServerVerb(*finetune, verb, about, flags, run, console, chosen);
  };
  AddStartFlags(*add("start", "Upload a training file and start a job", Start), *flags);
  AddPageFlags(*add("list", "List jobs, newest first", List), *flags);
  add("status", "Show a job", Status)->add_option("id", flags->id, "The job")->required();
  add("cancel", "Cancel a job that has not ended", Cancel)
      ->add_option("id", flags->id, "The job")
      ->required();
  CLI::App* events = add("events", "Show what happened to a job, oldest first", Events);
  events->add_option("id", flags->id, "The job")->required();
  AddPageFlags(*events, *flags);
}

}  // namespace ip2p
