// The verdicts' enum is ours plus one for "unspecified"; static_asserts hold it to that.
#include "services/pair_generator/pair_proto.h"

#include <array>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/rpc/duration_proto.h"

namespace ip2p::pair_generator {
namespace {

namespace v1 = pair::v1;

constexpr int kMaxPrompts = 100;
constexpr int64_t kMaxFirstIndex = 1'000'000'000;

constexpr int WireOf(SampleVerdict verdict) { return static_cast<int>(verdict) + 1; }
static_assert(WireOf(SampleVerdict::kPassed) == v1::SAMPLE_VERDICT_PASSED);
static_assert(WireOf(SampleVerdict::kBelowClip) == v1::SAMPLE_VERDICT_BELOW_CLIP);
static_assert(WireOf(SampleVerdict::kBelowDirection) == v1::SAMPLE_VERDICT_BELOW_DIRECTION);
static_assert(WireOf(SampleVerdict::kBelowImage) == v1::SAMPLE_VERDICT_BELOW_IMAGE);
static_assert(WireOf(SampleVerdict::kUnsafe) == v1::SAMPLE_VERDICT_UNSAFE);
static_assert(WireOf(SampleVerdict::kNotFinite) == v1::SAMPLE_VERDICT_NOT_FINITE);
static_assert(v1::SampleVerdict_MAX == v1::SAMPLE_VERDICT_NOT_FINITE);

constexpr std::array<std::pair<const char*, model::v1::Precision>, 3> kPrecisions = {
    {{"fp32", model::v1::PRECISION_FP32},
     {"bf16", model::v1::PRECISION_BF16},
     {"fp16", model::v1::PRECISION_FP16}}};

using Faults = std::vector<std::string>;

void Add(const absl::Status& status, const std::string& where, Faults& faults) {
  if (!status.ok()) faults.push_back(absl::StrCat(where, std::string(status.message())));
}

void ReadParams(const v1::PairParams& wire, PairTask& task, Faults& faults) {
  PairParams& params = task.params;
  if (wire.has_steps()) params.steps = wire.steps();
  if (wire.has_n_samples()) params.n_samples = wire.n_samples();
  if (wire.has_max_out_samples()) params.max_out_samples = wire.max_out_samples();
  if (wire.has_min_p2p()) params.min_p2p = wire.min_p2p();
  if (wire.has_max_p2p()) params.max_p2p = wire.max_p2p();
  if (wire.has_common_steps()) params.common_steps = wire.common_steps();
  if (wire.has_min_cfg()) params.min_cfg = wire.min_cfg();
  if (wire.has_max_cfg()) params.max_cfg = wire.max_cfg();
  if (wire.has_clip_threshold()) params.thresholds.clip = wire.clip_threshold();
  if (wire.has_clip_dir_threshold()) params.thresholds.dir = wire.clip_dir_threshold();
  if (wire.has_clip_img_threshold()) params.thresholds.img = wire.clip_img_threshold();
  task.native_resolution = !wire.has_resolution();
  if (wire.has_resolution()) params.resolution = wire.resolution();
  if (wire.has_seed()) params.seed = wire.seed();
  params.seeds.assign(wire.seeds().begin(), wire.seeds().end());
  params.early_stop = wire.early_stop();
  if (wire.has_safety_check()) params.safety_check = wire.safety_check();
  for (const auto& [name, value] : kPrecisions) {
    if (wire.precision() == value) task.precision = name;
  }
  if (task.precision.empty() && wire.precision() != model::v1::PRECISION_UNSPECIFIED) {
    faults.push_back(absl::StrCat("params.precision is ", static_cast<int>(wire.precision()),
                                  "; wants a value of its enum"));
  }
  Add(ValidatePairs(params), "params: ", faults);
}

}  // namespace

absl::StatusOr<PairTask> TaskFromProto(v1::GeneratePairsRequest request) {
  PairTask task;
  Faults faults;
  if (request.prompts().empty() || request.prompts_size() > kMaxPrompts) {
    faults.push_back(absl::StrCat("prompts are ", request.prompts_size(), "; wants 1..", kMaxPrompts));
  }
  for (int i = 0; i < request.prompts_size() && i < kMaxPrompts; ++i) {
    prompt::v1::Prompt& wire = *request.mutable_prompts(i);
    PairPrompt& prompt = task.prompts.emplace_back(PairPrompt{.caption = std::move(*wire.mutable_caption()),
                                                              .output = std::move(*wire.mutable_output())});
    Add(ValidatePairPrompt(prompt), absl::StrCat("prompts[", i, "]: "), faults);
  }
  task.first_prompt_index = request.first_prompt_index();
  if (task.first_prompt_index < 0 || task.first_prompt_index > kMaxFirstIndex) {
    faults.push_back(
        absl::StrCat("first_prompt_index is ", task.first_prompt_index, "; wants 0..", kMaxFirstIndex));
  }
  task.model = std::move(*request.mutable_model());
  ReadParams(request.params(), task, faults);
  if (!faults.empty()) return absl::InvalidArgumentError(absl::StrJoin(faults, "; "));
  return task;
}

v1::PairsStarted ToProto(const PairAdmission& admission) {
  v1::PairsStarted wire;
  wire.set_queue_position(admission.queue_position);
  if (admission.estimate > absl::ZeroDuration()) {
    *wire.mutable_estimate() = DurationProto(admission.estimate);
  }
  const PairParams& params = admission.params;
  v1::PairParams& out = *wire.mutable_params();
  out.set_steps(params.steps);
  out.set_n_samples(params.n_samples);
  out.set_max_out_samples(params.max_out_samples);
  out.set_min_p2p(params.min_p2p);
  out.set_max_p2p(params.max_p2p);
  out.set_common_steps(params.common_steps);
  out.set_min_cfg(params.min_cfg);
  out.set_max_cfg(params.max_cfg);
  out.set_clip_threshold(params.thresholds.clip);
  out.set_clip_dir_threshold(params.thresholds.dir);
  out.set_clip_img_threshold(params.thresholds.img);
  out.set_resolution(params.resolution);
  out.set_seed(params.seed);
  out.mutable_seeds()->Add(params.seeds.begin(), params.seeds.end());
  out.set_early_stop(params.early_stop);
  out.set_safety_check(params.safety_check);
  for (const auto& [name, value] : kPrecisions) {
    if (admission.precision == name) out.set_precision(value);
  }
  return wire;
}

v1::PairProgress ToProto(int64_t prompt_index, const PairStep& step) {
  v1::PairProgress wire;
  wire.set_prompt_index(prompt_index);
  wire.set_samples_done(step.samples_done);
  wire.set_samples_total(step.samples_total);
  wire.set_step(step.step);
  wire.set_steps(step.steps);
  return wire;
}

v1::Sample ToProto(const Sample& sample) {
  v1::Sample wire;
  wire.set_prompt_index(sample.prompt_index);
  wire.set_sample_index(sample.sample_index);
  wire.set_seed(sample.seed);
  wire.set_p2p_threshold(sample.p2p_threshold);
  wire.set_cfg_scale(sample.cfg_scale);
  if (sample.scores) {
    wire.mutable_scores()->set_sim_0(sample.scores->sim_0);
    wire.mutable_scores()->set_sim_1(sample.scores->sim_1);
    wire.mutable_scores()->set_sim_dir(sample.scores->sim_dir);
    wire.mutable_scores()->set_sim_image(sample.scores->sim_image);
  }
  wire.set_verdict(static_cast<v1::SampleVerdict>(WireOf(sample.verdict)));
  return wire;
}

v1::Pair ToProto(const Sample& sample, StoredPair files, int side) {
  v1::Pair wire;
  *wire.mutable_sample() = ToProto(sample);
  const auto fill = [side](image::v1::Image& image, std::string bytes) {
    image.set_data(std::move(bytes));
    image.set_format(image::v1::IMAGE_FORMAT_JPEG);
    image.set_width(side);
    image.set_height(side);
  };
  fill(*wire.mutable_before(), std::move(files.before));
  fill(*wire.mutable_after(), std::move(files.after));
  return wire;
}

v1::PromptFinished ToProto(int64_t prompt_index, const PromptPairs& pairs) {
  v1::PromptFinished wire;
  wire.set_prompt_index(prompt_index);
  wire.set_sampled(static_cast<int>(pairs.samples.size()));
  wire.set_passed(pairs.passed);
  wire.set_kept(static_cast<int>(pairs.kept.size()));
  return wire;
}

v1::GetCapabilitiesResponse CapabilitiesProto(const std::vector<ModelFacts>& models) {
  v1::GetCapabilitiesResponse wire;
  for (const ModelFacts& model : models) wire.add_models(model.name);
  if (!models.empty()) {
    wire.set_clip(models.front().clip);
    wire.set_safety_checker(models.front().safety_checker);
    wire.set_batch_size(models.front().batch_size);
  }
  wire.set_max_resolution(kMaxPairResolution);
  wire.set_max_prompts_per_request(kMaxPrompts);
  return wire;
}

}  // namespace ip2p::pair_generator
