// The figures of this server for Prometheus. Thread-safe.
//
//   ip2p_edit_requests_total{model,code}            finished calls of Edit and StreamEdit
//   ip2p_edit_queue_depth                           admitted edits that wait for the model
//   ip2p_edit_in_flight                             admitted edits that are not over
//   ip2p_edit_queue_duration_seconds                from admission to the first work of the model
//   ip2p_edit_request_duration_seconds              from admission to the answer
//   ip2p_edit_stage_duration_seconds{stage}         text, encode, denoise (one step), decode; read_image,
//                                                   compose (of masked edits), write_image
//   ip2p_edit_denoise_step_duration_seconds         one evaluation of the denoiser for a whole batch
//   ip2p_edit_batch_size                            outputs in that batch
//   ip2p_edit_cancelled_total                       admitted edits given up by their callers or a deadline
//   ip2p_edit_model_failures_total                  admitted edits that failed in the model (NaN among them)
#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/pipeline/edit_engine.h"
#include "prometheus/counter.h"
#include "prometheus/gauge.h"
#include "prometheus/histogram.h"
#include "prometheus/registry.h"

namespace ip2p::edit_server {

class EditMetrics final : public EngineObserver {
 public:
  EditMetrics();

  // `model` is one of ours or "unknown", never a caller's text.
  void OnRequest(const std::string& model, absl::StatusCode code);
  void OnAdmitted();
  void OnStarted(absl::Duration queued);
  // An admitted edit is over; `was_started` tells whether it had left the queue.
  void OnOver(const absl::Status& outcome, bool was_started, absl::Duration took);

  void OnStage(const char* stage, absl::Duration took) override;
  void OnStep(int batch_size, absl::Duration took) override;

  const std::shared_ptr<prometheus::Registry>& registry() const { return registry_; }

 private:
  const std::shared_ptr<prometheus::Registry> registry_;
  prometheus::Family<prometheus::Counter>& requests_;
  prometheus::Gauge& queue_depth_;
  prometheus::Gauge& in_flight_;
  prometheus::Histogram& queue_duration_;
  prometheus::Histogram& request_duration_;
  prometheus::Family<prometheus::Histogram>& stage_duration_;
  prometheus::Histogram& step_duration_;
  prometheus::Histogram& batch_size_;
  prometheus::Counter& cancelled_;
  prometheus::Counter& model_failures_;
};

}  // namespace ip2p::edit_server
