// The figures of this server for Prometheus. Thread-safe.
//
//   ip2p_pairs_sampled_total                  samples made
//   ip2p_pairs_accepted_total                 pairs kept
//   ip2p_pairs_rejected_total{filter}         samples not kept: below_clip, below_direction, below_image,
//   unsafe,
//                                             not_finite, or rank (passed, and max_out_samples were better)
//   ip2p_pairs_clip_score{kind}               cosines: sim_0, sim_1, sim_dir, sim_image
//   ip2p_pairs_requests_total{method,code}    finished calls by gRPC code
//   ip2p_pairs_queue_depth                    admitted requests that wait for their model
//   ip2p_pairs_queue_duration_seconds         from admission to the first work
//   ip2p_pairs_prompt_duration_seconds        one prompt, all its samples
//   ip2p_pairs_cancelled_total                admitted requests given up by their callers or by a deadline
#pragma once

#include <memory>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/pipeline/pair_generation.h"
#include "prometheus/counter.h"
#include "prometheus/gauge.h"
#include "prometheus/histogram.h"
#include "prometheus/registry.h"

namespace ip2p::pair_generator {

class PairMetrics {
 public:
  PairMetrics();

  void OnCall(const char* method, absl::StatusCode code);
  void OnAdmitted() { queue_depth_.Increment(); }
  void OnLeftQueue(absl::Duration queued);
  void OnCancelled() { cancelled_.Increment(); }
  void OnSample(const Sample& sample);
  void OnPrompt(const PromptPairs& pairs, absl::Duration took);

  const std::shared_ptr<prometheus::Registry>& registry() const { return registry_; }

 private:
  const std::shared_ptr<prometheus::Registry> registry_;
  prometheus::Counter& sampled_;
  prometheus::Counter& accepted_;
  prometheus::Family<prometheus::Counter>& rejected_;
  prometheus::Family<prometheus::Histogram>& clip_score_;
  prometheus::Family<prometheus::Counter>& calls_;
  prometheus::Gauge& queue_depth_;
  prometheus::Histogram& queue_duration_;
  prometheus::Histogram& prompt_duration_;
  prometheus::Counter& cancelled_;
};

}  // namespace ip2p::pair_generator
