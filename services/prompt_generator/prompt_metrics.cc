// Names and helps of the metrics; what each means is in the header.
#include "services/prompt_generator/prompt_metrics.h"

namespace ip2p::prompt_generator {
namespace {

prometheus::Family<prometheus::Counter>& Counters(prometheus::Registry& registry, const char* name,
                                                  const char* help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry);
}

}  // namespace

PromptMetrics::PromptMetrics()
    : registry_(std::make_shared<prometheus::Registry>()),
      generated_(Counters(*registry_, "ip2p_prompts_generated_total", "Accepted prompts").Add({})),
      rejected_(Counters(*registry_, "ip2p_prompts_rejected_total", "Rejected captions by reason")),
      api_requests_(Counters(*registry_, "ip2p_prompts_api_requests_total",
                             "Requests to the provider by HTTP status, or by why none came")),
      tokens_(Counters(*registry_, "ip2p_prompts_tokens_total", "Tokens by kind")),
      cost_(Counters(*registry_, "ip2p_prompts_cost_usd_total", "US dollars by the price file").Add({})),
      runs_(prometheus::BuildGauge()
                .Name("ip2p_prompts_runs")
                .Help("Runs under way")
                .Register(*registry_)
                .Add({})),
      calls_(Counters(*registry_, "ip2p_prompts_requests_total", "Finished calls by method and gRPC code")) {}

void PromptMetrics::OnCall(const char* method, absl::StatusCode code) {
  calls_.Add({{"method", method}, {"code", absl::StatusCodeToString(code)}}).Increment();
}

void PromptMetrics::OnOutcome(const Outcome& outcome) {
  if (outcome.rejected == RejectReason::kNone) {
    generated_.Increment();
  } else {
    rejected_.Add({{"reason", RejectName(outcome.rejected)}}).Increment();
  }
}

void PromptMetrics::OnUsage(const Usage& usage) {
  tokens_.Add({{"kind", "prompt"}}).Increment(static_cast<double>(usage.prompt_tokens));
  tokens_.Add({{"kind", "completion"}}).Increment(static_cast<double>(usage.completion_tokens));
  cost_.Increment(static_cast<double>(usage.cost_micro_usd) / 1e6);
}

void PromptMetrics::OnApiRequest(const std::string& label) {
  api_requests_.Add({{"status", label}}).Increment();
}

}  // namespace ip2p::prompt_generator
