// `ip2p server`: what a running server offers, and a model exchanged while it serves.
#include <memory>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/status_macros.h"
#include "common/rpc/status.h"
#include "ip2p/edit/v1/edit_service.grpc.pb.h"
#include "ip2p/model/v1/model_service.grpc.pb.h"
#include "services/cli/channel.h"
#include "services/cli/commands.h"
#include "services/cli/print_json.h"
#include "services/cli/server_health.h"
#include "services/cli/server_verb.h"

namespace ip2p {
namespace {

constexpr absl::Duration kAskTimeout = absl::Seconds(30);
constexpr absl::Duration kReloadTimeout = absl::Minutes(30);
constexpr absl::Duration kHealthTimeout = absl::Seconds(5);  // probes ask often and wait little

struct ServerCommandFlags {
  ServerFlags server;
  bool json = false;
  std::string name;
  std::string checkpoint;
  std::string service;
};

// "PRECISION_BF16" -> "bf16".
std::string Short(const std::string& name, const std::string& prefix) {
  return absl::AsciiStrToLower(name.starts_with(prefix) ? name.substr(prefix.size()) : name);
}

void PrintModels(const google::protobuf::RepeatedPtrField<model::v1::Model>& models, std::ostream& out) {
  out << absl::StreamFormat("%-24s %8s %9s %10s %10s\n", "NAME", "REVISION", "PRECISION", "PREDICTION",
                            "RESOLUTION");
  for (const model::v1::Model& m : models) {
    out << absl::StreamFormat("%-24s %8d %9s %10s %10d\n", m.name(), m.revision(),
                              Short(model::v1::Precision_Name(m.precision()), "PRECISION_"),
                              Short(model::v1::PredictionType_Name(m.prediction()), "PREDICTION_TYPE_"),
                              m.native_resolution());
  }
}

void PrintCapabilities(const edit::v1::GetCapabilitiesResponse& answer, std::ostream& out) {
  const edit::v1::EditLimits& limits = answer.limits();
  const auto row = [&out](const char* name, const std::string& value) {
    out << absl::StreamFormat("%-20s %s\n", name, value);
  };
  row("version", answer.version());
  std::string samplers;
  for (const int sampler : answer.samplers()) {
    absl::StrAppend(&samplers, samplers.empty() ? "" : " ",
                    Short(edit::v1::Sampler_Name(static_cast<edit::v1::Sampler>(sampler)), "SAMPLER_"));
  }
  row("samplers", samplers);
  row("photo", absl::StrCat("at most ", limits.max_image_bytes(), " bytes, side ", limits.max_image_side(),
                            " px, ", limits.max_image_pixels(), " px in all"));
  row("text", absl::StrCat("at most ", limits.max_text_bytes(), " bytes"));
  row("steps", absl::StrCat("at most ", limits.max_steps(), ", default ", answer.defaults().steps()));
  row("resolution",
      absl::StrCat("at most ", limits.max_resolution(), ", default ", answer.defaults().resolution()));
  row("count", absl::StrCat("at most ", limits.max_count()));
  row("queue",
      absl::StrCat("at most ", limits.queue_limit(), " waiting, ", limits.client_limit(), " a caller"));
  row("batch", absl::StrCat(limits.max_batch(), " pictures together"));
  if (answer.has_estimate())
    row("estimate", absl::StrCat("about ", answer.estimate().seconds(), " s an edit"));
}

absl::Status ListModels(const ServerCommandFlags& flags, Console& console) {
  IP2P_ASSIGN_OR_RETURN(const Connection connection, Connect(flags.server));
  grpc::ClientContext context;
  connection.Prepare(context, kAskTimeout);
  const Cancellation::Scope scope(console.cancellation, [&context] { context.TryCancel(); });
  edit::v1::ListModelsResponse answer;
  IP2P_RETURN_IF_ERROR(
      FromGrpc(edit::v1::EditService::NewStub(connection.channel)->ListModels(&context, {}, &answer)));
  if (flags.json) return PrintJson(answer, console.out);
  PrintModels(answer.models(), console.out);
  return absl::OkStatus();
}

absl::Status GetCapabilities(const ServerCommandFlags& flags, Console& console) {
  IP2P_ASSIGN_OR_RETURN(const Connection connection, Connect(flags.server));
  grpc::ClientContext context;
  connection.Prepare(context, kAskTimeout);
  const Cancellation::Scope scope(console.cancellation, [&context] { context.TryCancel(); });
  edit::v1::GetCapabilitiesResponse answer;
  IP2P_RETURN_IF_ERROR(
      FromGrpc(edit::v1::EditService::NewStub(connection.channel)->GetCapabilities(&context, {}, &answer)));
  if (flags.json) return PrintJson(answer, console.out);
  PrintCapabilities(answer, console.out);
  return absl::OkStatus();
}

absl::Status Reload(const ServerCommandFlags& flags, Console& console) {
  IP2P_ASSIGN_OR_RETURN(const Connection connection, Connect(flags.server));
  grpc::ClientContext context;
  connection.Prepare(context, kReloadTimeout);
  const Cancellation::Scope scope(console.cancellation, [&context] { context.TryCancel(); });
  model::v1::ReloadModelRequest request;
  request.set_name(flags.name);
  request.set_checkpoint(flags.checkpoint);
  model::v1::ReloadModelResponse answer;
  IP2P_RETURN_IF_ERROR(FromGrpc(
      model::v1::ModelService::NewStub(connection.channel)->ReloadModel(&context, request, &answer)));
  if (flags.json) return PrintJson(answer, console.out);
  const model::v1::Model& model = answer.model().model();
  console.out << absl::StreamFormat(
      "%s revision %d serves, loaded in %.1f s\n", model.name(), model.revision(),
      static_cast<double>(answer.load_time().seconds()) + answer.load_time().nanos() * 1e-9);
  return absl::OkStatus();
}

absl::Status Health(const ServerCommandFlags& flags, Console& console) {
  IP2P_ASSIGN_OR_RETURN(const Connection connection, Connect(flags.server));
  IP2P_ASSIGN_OR_RETURN(const ServingStatus status, CheckHealth(connection, flags.service, kHealthTimeout));
  const char* name = ServingStatusName(status);
  console.out << (flags.json ? absl::StrCat("{\"status\":\"", name, "\"}") : name) << std::endl;
  if (status == ServingStatus::kServing) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat("the server is ", name, "; wants SERVING"));
}

}  // namespace

void AddServerCommands(CLI::App& app, Console& console, Chosen& chosen) {
  CLI::App* noun = app.add_subcommand("server", "Ask a running server");
  noun->require_subcommand(1);
  const auto flags = std::make_shared<ServerCommandFlags>();
  const auto add = [&](const char* verb, const char* about,
                       absl::Status (*run)(const ServerCommandFlags&, Console&)) {
    return AddServerVerb(*noun, verb, about, flags, run, console, chosen);
  };
  add("models", "List the models that a request can name", ListModels);
  add("capabilities", "Show the server's limits and defaults", GetCapabilities);
  CLI::App* health = add("health", "Ask whether the server serves: exit code 0, else 69", Health);
  health->add_option(
      "--service", flags->service,
      "One of its gRPC services, such as ip2p.edit.v1.EditService (default: the process itself)");
  CLI::App* reload = add("reload", "Load a model's files again (admin port; running edits finish)", Reload);
  reload->add_option("--name", flags->name, "Which model (default: the first)");
  reload->add_option("--checkpoint", flags->checkpoint,
                     "Other files, by their name in the server's folder of models");
}

}  // namespace ip2p
