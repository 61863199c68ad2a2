// The figures of this server for Prometheus. Thread-safe.
//
//   ip2p_prompts_generated_total             accepted prompts
//   ip2p_prompts_rejected_total{reason}      rejected captions
//   ip2p_prompts_api_requests_total{status}  requests to the provider by HTTP status, or by why none came
//   ip2p_prompts_tokens_total{kind}          prompt, completion
//   ip2p_prompts_cost_usd_total              by the price file
//   ip2p_prompts_runs                        runs under way
//   ip2p_prompts_requests_total{method,code} finished calls by gRPC code
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "common/prompts/outcome.h"
#include "prometheus/counter.h"
#include "prometheus/gauge.h"
#include "prometheus/registry.h"

namespace ip2p::prompt_generator {

class PromptMetrics {
 public:
  PromptMetrics();

  void OnCall(const char* method, absl::StatusCode code);
  // Not its usage, which may be older than this process.
  void OnOutcome(const Outcome& outcome);
  void OnUsage(const Usage& usage);
  void OnApiRequest(const std::string& label);
  void OnRuns(int change) { runs_.Increment(change); }

  const std::shared_ptr<prometheus::Registry>& registry() const { return registry_; }

 private:
  const std::shared_ptr<prometheus::Registry> registry_;
  prometheus::Counter& generated_;
  prometheus::Family<prometheus::Counter>& rejected_;
  prometheus::Family<prometheus::Counter>& api_requests_;
  prometheus::Family<prometheus::Counter>& tokens_;
  prometheus::Counter& cost_;
  prometheus::Gauge& runs_;
  prometheus::Family<prometheus::Counter>& calls_;
};

}  // namespace ip2p::prompt_generator
