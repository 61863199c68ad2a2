// Names and helps of the metrics; what each means is in the header.
#include "services/pair_generator/pair_metrics.h"

#include <utility>
#include <vector>

#include "common/metrics/buckets.h"

namespace ip2p::pair_generator {
namespace {

prometheus::Family<prometheus::Counter>& Counters(prometheus::Registry& registry, const char* name,
                                                  const char* help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry);
}

prometheus::Histogram& Durations(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildHistogram().Name(name).Help(help).Register(registry).Add({}, DurationBuckets());
}

}  // namespace

PairMetrics::PairMetrics()
    : registry_(std::make_shared<prometheus::Registry>()),
      sampled_(Counters(*registry_, "ip2p_pairs_sampled_total", "Samples made").Add({})),
      accepted_(Counters(*registry_, "ip2p_pairs_accepted_total", "Pairs kept").Add({})),
      rejected_(Counters(*registry_, "ip2p_pairs_rejected_total", "Samples not kept, by filter")),
      clip_score_(prometheus::BuildHistogram()
                      .Name("ip2p_pairs_clip_score")
                      .Help("Cosines by CLIP")
                      .Register(*registry_)),
      calls_(Counters(*registry_, "ip2p_pairs_requests_total", "Finished calls by method and gRPC code")),
      queue_depth_(prometheus::BuildGauge()
                       .Name("ip2p_pairs_queue_depth")
                       .Help("Admitted requests that wait for their model")
                       .Register(*registry_)
                       .Add({})),
      queue_duration_(Durations(*registry_, "ip2p_pairs_queue_duration_seconds",
                                "From admission to the first work of the model")),
      prompt_duration_(
          Durations(*registry_, "ip2p_pairs_prompt_duration_seconds", "One prompt, all its samples")),
      cancelled_(Counters(*registry_, "ip2p_pairs_cancelled_total",
                          "Admitted requests given up by their callers or by a deadline")
                     .Add({})) {}

void PairMetrics::OnCall(const char* method, absl::StatusCode code) {
  calls_.Add({{"method", method}, {"code", absl::StatusCodeToString(code)}}).Increment();
}

void PairMetrics::OnLeftQueue(absl::Duration queued) {
  queue_depth_.Decrement();
  queue_duration_.Observe(absl::ToDoubleSeconds(queued));
}

void PairMetrics::OnSample(const Sample& sample) {
  sampled_.Increment();
  if (sample.verdict != SampleVerdict::kPassed) {
    rejected_.Add({{"filter", VerdictName(sample.verdict)}}).Increment();
  }
  if (!sample.scores) return;
  const ClipScores& scores = *sample.scores;
  for (const auto& [kind, value] : {std::pair{"sim_0", scores.sim_0},
                                    {"sim_1", scores.sim_1},
                                    {"sim_dir", scores.sim_dir},
                                    {"sim_image", scores.sim_image}}) {
    clip_score_.Add({{"kind", kind}}, CosineBuckets()).Observe(value);
  }
}

void PairMetrics::OnPrompt(const PromptPairs& pairs, absl::Duration took) {
  accepted_.Increment(static_cast<double>(pairs.kept.size()));
  const size_t beaten = static_cast<size_t>(pairs.passed) - pairs.kept.size();
  if (beaten > 0) rejected_.Add({{"filter", "rank"}}).Increment(static_cast<double>(beaten));
  prompt_duration_.Observe(absl::ToDoubleSeconds(took));
}

}  // namespace ip2p::pair_generator
