// Names and helps of the metrics; what each means is in the header.
#include "services/edit_server/edit_metrics.h"

#include "common/metrics/buckets.h"

namespace ip2p::edit_server {
namespace {

prometheus::Gauge& Gauge(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry).Add({});
}

prometheus::Counter& Counter(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry).Add({});
}

prometheus::Histogram& Histogram(prometheus::Registry& registry, const char* name, const char* help,
                                 const std::vector<double>& buckets) {
  return prometheus::BuildHistogram().Name(name).Help(help).Register(registry).Add({}, buckets);
}

}  // namespace

EditMetrics::EditMetrics()
    : registry_(std::make_shared<prometheus::Registry>()),
      requests_(prometheus::BuildCounter()
                    .Name("ip2p_edit_requests_total")
                    .Help("Finished edit calls by model and gRPC code")
                    .Register(*registry_)),
      queue_depth_(Gauge(*registry_, "ip2p_edit_queue_depth", "Admitted edits that wait for the model")),
      in_flight_(Gauge(*registry_, "ip2p_edit_in_flight", "Admitted edits that are not over")),
      queue_duration_(Histogram(*registry_, "ip2p_edit_queue_duration_seconds",
                                "From admission to the first work of the model", DurationBuckets())),
      request_duration_(Histogram(*registry_, "ip2p_edit_request_duration_seconds",
                                  "From admission to the answer", DurationBuckets())),
      stage_duration_(prometheus::BuildHistogram()
                          .Name("ip2p_edit_stage_duration_seconds")
                          .Help("Stages of an edit")
                          .Register(*registry_)),
      step_duration_(Histogram(*registry_, "ip2p_edit_denoise_step_duration_seconds",
                               "One evaluation of the denoiser for a whole batch", StepBuckets())),
      batch_size_(Histogram(*registry_, "ip2p_edit_batch_size", "Outputs denoised together", BatchBuckets())),
      cancelled_(Counter(*registry_, "ip2p_edit_cancelled_total",
                         "Admitted edits given up by their callers or by a deadline")),
      model_failures_(
          Counter(*registry_, "ip2p_edit_model_failures_total", "Admitted edits that failed in the model")) {}

void EditMetrics::OnRequest(const std::string& model, absl::StatusCode code) {
  requests_.Add({{"model", model}, {"code", absl::StatusCodeToString(code)}}).Increment();
}

void EditMetrics::OnAdmitted() {
  queue_depth_.Increment();
  in_flight_.Increment();
}

void EditMetrics::OnStarted(absl::Duration queued) {
  queue_depth_.Decrement();
  queue_duration_.Observe(absl::ToDoubleSeconds(queued));
}

void EditMetrics::OnOver(const absl::Status& outcome, bool was_started, absl::Duration took) {
  if (!was_started) queue_depth_.Decrement();
  in_flight_.Decrement();
  request_duration_.Observe(absl::ToDoubleSeconds(took));
  if (absl::IsCancelled(outcome) || absl::IsDeadlineExceeded(outcome)) cancelled_.Increment();
  if (absl::IsInternal(outcome)) model_failures_.Increment();
}

void EditMetrics::OnStage(const char* stage, absl::Duration took) {
  stage_duration_.Add({{"stage", stage}}, DurationBuckets()).Observe(absl::ToDoubleSeconds(took));
}

void EditMetrics::OnStep(int batch_size, absl::Duration took) {
  step_duration_.Observe(absl::ToDoubleSeconds(took));
  batch_size_.Observe(batch_size);
}

}  // namespace ip2p::edit_server
