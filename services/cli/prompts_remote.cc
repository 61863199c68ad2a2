// A generation on a server, through GeneratePrompts. The only place of the client that builds prompt
// messages.
#include <filesystem>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/dataset/prompt.h"
#include "common/rpc/duration_proto.h"
#include "common/rpc/status.h"
#include "common/storage/append_file.h"
#include "grpcpp/client_context.h"
#include "ip2p/prompt/v1/prompt_service.grpc.pb.h"
#include "services/cli/prompts_generate.h"
#include "services/cli/prompts_reporter.h"

namespace ip2p {
namespace {

namespace v1 = prompt::v1;

constexpr int64_t kMaxCarried = 10000;

v1::GenerationParams ToProto(const GenerationParams& params, ProviderKind provider) {
  v1::GenerationParams wire;
  wire.set_provider(static_cast<v1::ProviderKind>(provider));
  wire.set_model(params.model);
  wire.set_temperature(params.temperature);
  wire.set_max_tokens(params.max_tokens);
  wire.set_frequency_penalty(params.frequency_penalty);
  wire.set_max_tries(params.max_tries);
  wire.set_moderation(params.moderation);
  wire.set_seed(params.seed);
  return wire;
}

// The captions of our own file, good ones only: the server is sent no damaged line.
absl::Status CarryCaptions(const GenerationOrder& order, v1::CaptionList& list, Console& console) {
  const std::string folder = std::filesystem::temp_directory_path().string();
  IP2P_ASSIGN_OR_RETURN(const std::unique_ptr<CaptionFile> captions,
                        CaptionFile::Open(order.captions_path, {.temp_folder = folder}));
  if (captions->size() > kMaxCarried) {
    return absl::InvalidArgumentError(
        absl::StrCat("captions are ", captions->size(), "; wants at most ", kMaxCarried,
                     " in a request, more as --captions-file in the server's data folder"));
  }
  for (int64_t i = 0; i < captions->size(); ++i) {
    IP2P_ASSIGN_OR_RETURN(NumberedCaption read, captions->Read(i));
    if (read.state == CaptionState::kBad) console.err << "line " << read.line << ": " << read.fault << "\n";
    if (read.state != CaptionState::kGood) continue;
    v1::Caption& caption = *list.add_captions();
    caption.set_text(std::move(read.caption.text));
    caption.set_url(std::move(read.caption.url));
  }
  return absl::OkStatus();
}

absl::StatusOr<v1::GeneratePromptsRequest> ToProto(const GenerateTask& task, Console& console) {
  const GenerationOrder& order = task.order;
  v1::GeneratePromptsRequest request;
  if (task.captions_file.empty()) {
    IP2P_RETURN_IF_ERROR(CarryCaptions(order, *request.mutable_captions(), console));
  } else {
    request.set_captions_file(task.captions_file);
  }
  *request.mutable_params() = ToProto(order.run.params, order.provider);
  request.set_n_partitions(static_cast<int>(order.run.n_partitions));
  request.set_partition(static_cast<int>(order.run.partition));
  request.set_concurrency(order.run.concurrency);
  if (order.max_micro_usd) request.set_max_cost_micro_usd(*order.max_micro_usd);
  request.set_run_name(task.run_name);
  return request;
}

Usage FromProto(const v1::Usage& wire) {
  return {wire.requests(), wire.prompt_tokens(), wire.completion_tokens(), wire.cost_micro_usd()};
}

void Tell(const v1::RunProgress& progress, PromptsReporter& reporter) {
  const RunCounts counts{progress.total(), progress.accepted(), progress.rejected(), progress.resumed(),
                         FromProto(progress.usage())};
  std::optional<absl::Duration> remaining;
  if (progress.has_remaining()) remaining = ip2p::FromProto(progress.remaining());
  reporter.OnProgress(counts, remaining);
}

absl::Status Write(const v1::Outcome& outcome, AppendFile& output) {
  const v1::Prompt& wire = outcome.prompt();
  const Prompt prompt{wire.caption(), wire.edit(),     wire.output(),
                      wire.url(),     outcome.model(), FromProto(outcome.usage())};
  return output.Append(PromptLine(prompt) + "\n");
}

}  // namespace

absl::Status GenerateRemotely(GenerateTask task, Console& console) {
  IP2P_ASSIGN_OR_RETURN(const Connection connection, Connect(task.server));
  IP2P_ASSIGN_OR_RETURN(const v1::GeneratePromptsRequest request, ToProto(task, console));
  std::optional<AppendFile> output;
  if (!task.order.output_path.empty()) {
    IP2P_ASSIGN_OR_RETURN(AppendFile file, AppendFile::Open(task.order.output_path, "the output", true));
    // A named run resumes, and sends only what is new.
    if (file.size() > 0 && task.run_name.empty()) {
      return absl::FailedPreconditionError("the output exists; wants another name, or --run-name to go on");
    }
    output.emplace(std::move(file));
  }
  const std::unique_ptr<v1::PromptService::Stub> stub = v1::PromptService::NewStub(connection.channel);
  grpc::ClientContext context;
  connection.Prepare(context, absl::InfiniteDuration());
  const Cancellation::Scope scope(console.cancellation, [&context] { context.TryCancel(); });
  PromptsReporter reporter(console);
  const auto reader = stub->GeneratePrompts(&context, request);
  v1::GeneratePromptsResponse event;
  absl::Status written;
  while (written.ok() && reader->Read(&event)) {
    if (event.has_progress()) Tell(event.progress(), reporter);
    if (event.outcome().has_prompt() && output) written = Write(event.outcome(), *output);
  }
  if (!written.ok()) context.TryCancel();
  const absl::Status status = FromGrpc(reader->Finish());
  if (task.json) console.out << CountsJson(reporter.counts());
  return written.ok() ? status : written;
}

}  // namespace ip2p
