// Between the wire and the engine's words: the only place of this service that builds or reads prompt
// messages. Pure functions.
#pragma once

#include <optional>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/prompts/generation_job.h"
#include "common/prompts/outcome.h"
#include "ip2p/prompt/v1/prompt_service.pb.h"
#include "services/prompt_generator/config.h"

namespace ip2p::prompt_generator {

inline constexpr int kMaxCaptionsPerRequest = 10000;

// All validation: INVALID_ARGUMENT with every fault, FAILED_PRECONDITION for a file or run name without a
// data folder.
absl::StatusOr<GenerationOrder> OrderFromProto(prompt::v1::GeneratePromptsRequest request,
                                               const ServerConfig& config);

// One caption to try.
struct PromptOrder {
  Caption caption;
  ProviderKind provider = ProviderKind::kDefault;
  GenerationParams params;
};
absl::StatusOr<PromptOrder> PromptOrderFromProto(const prompt::v1::GeneratePromptRequest& request,
                                                 const ServerConfig& config);

prompt::v1::Outcome ToProto(const Outcome& outcome);
prompt::v1::RunProgress ToProto(const RunCounts& counts, std::optional<absl::Duration> remaining);
prompt::v1::GetCapabilitiesResponse CapabilitiesProto(const Providers& providers);

}  // namespace ip2p::prompt_generator
