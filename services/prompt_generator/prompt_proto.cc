// The enums of provider and reject reason have the same numbers on both sides; static_asserts hold them to
// it.
#include "services/prompt_generator/prompt_proto.h"

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/prompts/caption_text.h"
#include "common/rpc/duration_proto.h"

namespace ip2p::prompt_generator {
namespace {

namespace v1 = prompt::v1;

static_assert(static_cast<int>(ProviderKind::kDefault) == v1::PROVIDER_KIND_UNSPECIFIED);
static_assert(static_cast<int>(ProviderKind::kOpenAiChat) == v1::PROVIDER_KIND_OPENAI_CHAT);
static_assert(static_cast<int>(ProviderKind::kOpenAiCompletion) == v1::PROVIDER_KIND_OPENAI_COMPLETION);
static_assert(static_cast<int>(ProviderKind::kOpenAiBatch) == v1::PROVIDER_KIND_OPENAI_BATCH);
static_assert(static_cast<int>(ProviderKind::kShapes) == v1::PROVIDER_KIND_SHAPES);
static_assert(static_cast<int>(RejectReason::kBadCaption) == v1::REJECT_REASON_BAD_CAPTION);
static_assert(static_cast<int>(RejectReason::kDuplicate) == v1::REJECT_REASON_DUPLICATE);
static_assert(static_cast<int>(RejectReason::kCaptionFlagged) == v1::REJECT_REASON_CAPTION_FLAGGED);
static_assert(static_cast<int>(RejectReason::kAnswerFlagged) == v1::REJECT_REASON_ANSWER_FLAGGED);
static_assert(static_cast<int>(RejectReason::kMalformed) == v1::REJECT_REASON_MALFORMED);
static_assert(static_cast<int>(RejectReason::kUnchanged) == v1::REJECT_REASON_UNCHANGED);
static_assert(static_cast<int>(RejectReason::kRefused) == v1::REJECT_REASON_REFUSED);
static_assert(static_cast<int>(RejectReason::kProviderError) == v1::REJECT_REASON_PROVIDER_ERROR);
static_assert(v1::ProviderKind_MAX == v1::PROVIDER_KIND_SHAPES &&
              v1::RejectReason_MAX == v1::REJECT_REASON_PROVIDER_ERROR);

using Faults = std::vector<std::string>;

void ReadParams(const v1::GenerationParams& wire, GenerationParams& params, ProviderKind& provider,
                Faults& faults) {
  if (!v1::ProviderKind_IsValid(wire.provider())) {
    faults.push_back(absl::StrCat("params.provider is ", static_cast<int>(wire.provider()), "; wants 0..4"));
  } else {
    provider = static_cast<ProviderKind>(wire.provider());
  }
  params.model = wire.model();
  if (wire.has_temperature()) params.temperature = wire.temperature();
  if (wire.has_max_tokens()) params.max_tokens = wire.max_tokens();
  if (wire.has_frequency_penalty()) params.frequency_penalty = wire.frequency_penalty();
  if (wire.has_max_tries()) params.max_tries = wire.max_tries();
  if (wire.has_moderation()) params.moderation = wire.moderation();
  if (wire.has_seed()) params.seed = wire.seed();
}

bool IsRunName(const std::string& name) {
  if (name.size() > 63) return false;
  for (const char c : name) {
    if (!absl::ascii_islower(c) && !absl::ascii_isdigit(c) && c != '-') return false;
  }
  return true;
}

// Nothing that leaves the folder.
bool IsInnerPath(const std::string& name) {
  const std::filesystem::path path(name);
  if (name.size() > 255 || name.find('\0') != std::string::npos || path.is_absolute()) return false;
  for (const std::filesystem::path& part : path) {
    if (part == "..") return false;
  }
  return path.has_filename();
}

void ReadSource(v1::GeneratePromptsRequest& request, const ServerConfig& config, GenerationOrder& order,
                Faults& faults) {
  if (request.source_case() == v1::GeneratePromptsRequest::kCaptionsFile) {
    if (!IsInnerPath(request.captions_file())) {
      faults.emplace_back("captions_file is no relative name; wants at most 255 bytes without \"..\"");
    }
    order.captions_path = (std::filesystem::path(config.data_dir) / request.captions_file()).string();
    return;
  }
  const int count = request.captions().captions_size();
  if (count < 1 || count > kMaxCaptionsPerRequest) {
    faults.push_back(absl::StrCat("captions holds ", count, "; wants 1..", kMaxCaptionsPerRequest));
    return;
  }
  for (v1::Caption& caption : *request.mutable_captions()->mutable_captions()) {
    Caption read;
    read.text = std::move(*caption.mutable_text());
    read.url = std::move(*caption.mutable_url());
    order.captions.push_back(std::move(read));
  }
}

v1::Usage ToProto(const Usage& usage) {
  v1::Usage wire;
  wire.set_requests(usage.requests);
  wire.set_prompt_tokens(usage.prompt_tokens);
  wire.set_completion_tokens(usage.completion_tokens);
  wire.set_cost_micro_usd(usage.cost_micro_usd);
  return wire;
}

}  // namespace

absl::StatusOr<GenerationOrder> OrderFromProto(v1::GeneratePromptsRequest request,
                                               const ServerConfig& config) {
  GenerationOrder order;
  Faults faults;
  order.run.params = config.params;
  order.run.concurrency = request.has_concurrency() ? request.concurrency() : config.concurrency;
  ReadParams(request.params(), order.run.params, order.provider, faults);
  ReadSource(request, config, order, faults);
  if (request.has_n_partitions()) order.run.n_partitions = request.n_partitions();
  if (request.has_partition()) order.run.partition = request.partition();
  order.max_micro_usd = config.max_micro_usd;
  if (request.has_max_cost_micro_usd()) {
    order.max_micro_usd = request.max_cost_micro_usd();
    if (config.max_micro_usd && request.max_cost_micro_usd() > *config.max_micro_usd) {
      faults.push_back(absl::StrCat("max_cost_micro_usd is ", request.max_cost_micro_usd(),
                                    "; wants at most the server's ", *config.max_micro_usd));
    }
  }
  if (!IsRunName(request.run_name())) faults.emplace_back("run_name is no name; wants [a-z0-9-]{1,63}");
  if (const absl::Status status = CheckOrder(order); !status.ok()) {
    faults.push_back(std::string(status.message()));
  }
  if (!faults.empty()) return absl::InvalidArgumentError(absl::StrJoin(faults, "\n"));
  const bool names_file =
      !request.run_name().empty() || request.source_case() == v1::GeneratePromptsRequest::kCaptionsFile;
  if (names_file && config.data_dir.empty()) {
    return absl::FailedPreconditionError("the server has no data folder; wants one for files and named runs");
  }
  if (!request.run_name().empty()) {
    order.output_path = (std::filesystem::path(config.data_dir) / (request.run_name() + ".jsonl")).string();
  }
  order.temp_folder = config.data_dir;
  return order;
}

absl::StatusOr<PromptOrder> PromptOrderFromProto(const v1::GeneratePromptRequest& request,
                                                 const ServerConfig& config) {
  Faults faults;
  PromptOrder order;
  order.params = config.params;
  order.caption.text = request.caption().text();
  order.caption.url = request.caption().url();
  ReadParams(request.params(), order.params, order.provider, faults);
  GenerationOrder as_run;
  as_run.run.params = order.params;
  for (const absl::Status& status :
       {CheckCaption(order.caption.text, order.caption.url), CheckOrder(as_run)}) {
    if (!status.ok()) faults.push_back(std::string(status.message()));
  }
  if (order.provider == ProviderKind::kOpenAiBatch) {
    faults.emplace_back("params.provider is the Batch API; wants another one for a single caption");
  }
  if (!faults.empty()) return absl::InvalidArgumentError(absl::StrJoin(faults, "\n"));
  return order;
}

v1::Outcome ToProto(const Outcome& outcome) {
  v1::Outcome wire;
  wire.set_index(outcome.index);
  if (outcome.rejected == RejectReason::kNone) {
    v1::Prompt& prompt = *wire.mutable_prompt();
    prompt.set_caption(outcome.prompt.caption);
    prompt.set_edit(outcome.prompt.edit);
    prompt.set_output(outcome.prompt.output);
    prompt.set_url(outcome.prompt.url);
  } else {
    wire.set_rejected(static_cast<v1::RejectReason>(outcome.rejected));
  }
  *wire.mutable_usage() = ToProto(outcome.usage);
  wire.set_model(outcome.model);
  return wire;
}

v1::RunProgress ToProto(const RunCounts& counts, std::optional<absl::Duration> remaining) {
  v1::RunProgress wire;
  wire.set_total(counts.total);
  wire.set_accepted(counts.accepted);
  wire.set_rejected(counts.rejected);
  wire.set_resumed(counts.resumed);
  *wire.mutable_usage() = ToProto(counts.usage);
  if (remaining) *wire.mutable_remaining() = DurationProto(*remaining);
  return wire;
}

v1::GetCapabilitiesResponse CapabilitiesProto(const Providers& providers) {
  v1::GetCapabilitiesResponse wire;
  wire.set_max_captions_per_request(kMaxCaptionsPerRequest);
  for (const ProviderKind kind : providers.Available()) {
    v1::ProviderInfo& info = *wire.add_providers();
    info.set_kind(static_cast<v1::ProviderKind>(kind));
    info.set_model(providers.ModelOf(kind));
    if (kind == ProviderKind::kShapes) continue;
    info.set_requests_per_minute(providers.config().api.limits.requests_per_minute);
    info.set_tokens_per_minute(providers.config().api.limits.tokens_per_minute);
    info.set_moderation(true);
  }
  return wire;
}

}  // namespace ip2p::prompt_generator
