// See worker_proto.h.
#include "services/training_worker/worker_proto.h"

#include <tuple>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/base/status_macros.h"
#include "common/rpc/duration_proto.h"
#include "google/protobuf/util/json_util.h"

namespace ip2p::training_worker {
namespace {

namespace v1 = training::v1;

absl::StatusOr<TrainObjective> ObjectiveFromProto(v1::Objective objective) {
  switch (objective) {
    case v1::OBJECTIVE_INSTRUCT_PIX2PIX:
      return TrainObjective::kInstructPix2Pix;
    case v1::OBJECTIVE_TEXT_TO_IMAGE:
      return TrainObjective::kTextToImage;
    case v1::OBJECTIVE_AUTOENCODER:
      return TrainObjective::kAutoencoder;
    case v1::OBJECTIVE_CLIP:
      return TrainObjective::kClip;
    default:
      return absl::InvalidArgumentError(
          absl::StrCat("objective is ", static_cast<int>(objective), "; wants one of the objectives"));
  }
}

absl::StatusOr<Precision> PrecisionFromProto(model::v1::Precision precision) {
  switch (precision) {
    case model::v1::PRECISION_UNSPECIFIED:
      return Precision::kAuto;
    case model::v1::PRECISION_FP32:
      return Precision::kFloat32;
    case model::v1::PRECISION_BF16:
      return Precision::kBFloat16;
    default:
      return absl::InvalidArgumentError("precision is not fp32 or bf16; wants one of them");
  }
}

absl::StatusOr<LrSchedule> ScheduleFromProto(v1::LrSchedule schedule) {
  switch (schedule) {
    case v1::LR_SCHEDULE_UNSPECIFIED:
    case v1::LR_SCHEDULE_CONSTANT:
      return LrSchedule::kConstant;
    case v1::LR_SCHEDULE_COSINE:
      return LrSchedule::kCosine;
    default:
      return absl::InvalidArgumentError("lr_schedule is unknown; wants constant or cosine");
  }
}

absl::StatusOr<TrainOptimizer> OptimizerFromProto(v1::Optimizer optimizer) {
  switch (optimizer) {
    case v1::OPTIMIZER_UNSPECIFIED:
    case v1::OPTIMIZER_ADAMW:
      return TrainOptimizer::kAdamW;
    case v1::OPTIMIZER_ADAMW_8BIT:
      return TrainOptimizer::kAdamW8Bit;
    default:
      return absl::InvalidArgumentError("optimizer is unknown; wants adamw or adamw-8bit");
  }
}

// Fields of their own for 0, which says "none given" in a TrainConfig.
absl::Status TakeResize(const v1::TrainParams& p, TrainConfig& c) {
  for (const auto& [name, has, value] : {std::tuple("min_resize", p.has_min_resize(), p.min_resize()),
                                         std::tuple("max_resize", p.has_max_resize(), p.max_resize())}) {
    if (has && value <= 0)
      return absl::InvalidArgumentError(absl::StrCat(name, " is ", value, "; wants resolution..2048"));
  }
  c.min_resize = p.min_resize();
  c.max_resize = p.max_resize();
  return absl::OkStatus();
}

void TakeOptimizer(const v1::TrainParams& p, TrainConfig& c) {
  if (p.has_learning_rate()) c.learning_rate = p.learning_rate();
  c.warmup_steps = p.warmup_steps();
  if (p.has_weight_decay()) c.weight_decay = p.weight_decay();
  if (p.has_adam_beta1()) c.adam_beta1 = p.adam_beta1();
  if (p.has_adam_beta2()) c.adam_beta2 = p.adam_beta2();
  if (p.has_adam_epsilon()) c.adam_epsilon = p.adam_epsilon();
  c.max_grad_norm = p.max_grad_norm();
  if (p.has_ema_decay()) c.ema_decay = p.ema_decay();
}

absl::StatusOr<TrainConfig> ConfigFromProto(v1::Objective objective, const v1::TrainParams& p) {
  TrainConfig c;
  IP2P_ASSIGN_OR_RETURN(c.objective, ObjectiveFromProto(objective));
  IP2P_ASSIGN_OR_RETURN(c.lr_schedule, ScheduleFromProto(p.lr_schedule()));
  IP2P_ASSIGN_OR_RETURN(c.optimizer, OptimizerFromProto(p.optimizer()));
  IP2P_RETURN_IF_ERROR(TakeResize(p, c));
  IP2P_ASSIGN_OR_RETURN(c.precision, PrecisionFromProto(p.precision()));
  if (c.objective == TrainObjective::kTextToImage) c.drop_text = 0.1;
  if (p.has_max_steps()) c.max_steps = p.max_steps();
  if (p.has_batch_size()) c.batch_size = p.batch_size();
  if (p.has_accumulation()) c.accumulation = p.accumulation();
  TakeOptimizer(p, c);
  if (p.has_drop_image()) c.drop_image = p.drop_image();
  if (p.has_drop_text()) c.drop_text = p.drop_text();
  if (p.has_drop_both()) c.drop_both = p.drop_both();
  c.min_snr_gamma = p.min_snr_gamma();
  if (p.has_fit_guidance()) c.fit_guidance = p.fit_guidance();
  if (p.has_group_size()) c.group_size = p.group_size();
  if (p.has_resolution()) c.resolution = p.resolution();
  if (p.has_random_flip()) c.random_flip = p.random_flip();
  c.seed = p.seed();
  c.gradient_checkpointing = p.gradient_checkpointing();
  c.cache_latents = p.cache_latents();
  c.train_text_encoder = p.train_text_encoder();
  c.decoder_only = p.decoder_only();
  c.latent_noise = p.latent_noise();
  if (p.has_checkpoint_every()) c.checkpoint_every = p.checkpoint_every();
  if (p.has_keep_checkpoints()) c.keep_checkpoints = p.keep_checkpoints();
  c.validate_every = p.validate_every();
  if (p.has_validation_samples()) c.validation_samples = p.validation_samples();
  return c;
}

}  // namespace

absl::StatusOr<TrainingRunOptions> OptionsFromProto(const v1::JobSpec& spec) {
  TrainingRunOptions options;
  IP2P_ASSIGN_OR_RETURN(options.config, ConfigFromProto(spec.objective(), spec.params()));
  options.base_checkpoint = spec.base_checkpoint();
  options.fresh_config = spec.fresh_config();
  options.dataset = spec.dataset();
  options.threads = spec.resources().threads();
  options.world_size = spec.resources().has_world_size() ? spec.resources().world_size() : 1;
  return options;
}

absl::StatusOr<v1::JobSpec> SpecFromJson(const std::string& text) {
  v1::JobSpec spec;
  const auto parsed = google::protobuf::util::JsonStringToMessage(text, &spec);
  if (parsed.ok()) return spec;
  const auto why = parsed.message();
  return absl::InvalidArgumentError(
      absl::StrCat("the spec is no JobSpec: ", absl::string_view(why.data(), why.size())));
}

v1::ValidationMetrics ToProto(const ValidationReport& report) {
  v1::ValidationMetrics wire;
  wire.set_step(report.step);
  wire.set_loss(report.loss);
  if (report.clip_direction) wire.set_clip_direction(*report.clip_direction);
  if (report.clip_image) wire.set_clip_image(*report.clip_image);
  return wire;
}

v1::TrainMetrics ToProto(const StepReport& report, const ValidationReport* validation,
                         double remaining_seconds) {
  v1::TrainMetrics wire;
  wire.set_step(report.result.step);
  wire.set_loss(report.result.loss);
  wire.set_learning_rate(report.result.learning_rate);
  wire.set_grad_norm(report.result.grad_norm);
  *wire.mutable_step_duration() = DurationProto(absl::Seconds(report.seconds));
  wire.set_data_wait_share(report.seconds > 0 ? report.data_wait / report.seconds : 0);
  wire.set_samples(report.samples);
  *wire.mutable_remaining() = DurationProto(absl::Seconds(remaining_seconds));
  if (validation != nullptr) *wire.mutable_validation() = ToProto(*validation);
  return wire;
}

v1::Checkpoint ToProto(const CheckpointReport& report, const std::string& job) {
  v1::Checkpoint wire;
  wire.set_job_id(job);
  wire.set_step(report.step);
  *wire.mutable_create_time() = TimestampProto(absl::Now());
  wire.set_size_bytes(report.bytes);
  wire.set_loss(report.loss);
  if (report.validation) *wire.mutable_validation() = ToProto(*report.validation);
  return wire;
}

RunOrder OrderFromProto(const v1::HeartbeatResponse& response) {
  RunOrder order{.at_step = response.at_step()};
  switch (response.order()) {
    case v1::WORKER_ORDER_SAVE:
      order.kind = RunOrder::Kind::kSave;
      break;
    case v1::WORKER_ORDER_SAVE_AND_STOP:
      order.kind = RunOrder::Kind::kSaveAndStop;
      break;
    case v1::WORKER_ORDER_STOP:
      order.kind = RunOrder::Kind::kStop;
      break;
    default:
      break;
  }
  return order;
}

}  // namespace ip2p::training_worker
