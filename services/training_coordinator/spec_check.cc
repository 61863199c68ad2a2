// Rules are those of job.proto.
#include "services/training_coordinator/spec_check.h"

#include <algorithm>
#include <cmath>
#include <tuple>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace ip2p::training_coordinator {
namespace {

namespace v1 = training::v1;

constexpr size_t kMaxPath = 255;  // bytes
constexpr size_t kShown = 64;     // of a caller's text in a message
constexpr int64_t kMaxSteps = 100'000'000;
constexpr int kMaxWorld = 1024;
constexpr int64_t kMaxResize = 2048;  // px
constexpr double kMaxLatentNoise = 10;
constexpr double kLeastFitGuidance = 0.1;
constexpr double kMaxFitGuidance = 20;
constexpr double kMaxShare = 1 + 1e-9;  // of three shares that add up to 1 but for rounding

class Checker {
 public:
  void Range(const char* field, int64_t value, int64_t low, int64_t high) {
    if (value < low || value > high) Fault(field, absl::StrCat(value), absl::StrCat(low, "..", high));
  }
  // NaN fits no range.
  void Real(const char* field, double value, bool fits, const char* wanted) {
    if (!fits) Fault(field, absl::StrCat(value), wanted);
  }
  void Path(const char* field, const std::string& path) {
    bool inside = !path.empty() && path.size() <= kMaxPath && path.front() != '/' &&
                  path.find('\0') == std::string::npos;
    for (const absl::string_view part : absl::StrSplit(path, '/')) inside = inside && part != "..";
    if (inside) return;
    Fault(
        field, absl::StrCat("\"", absl::CHexEscape(path.substr(0, kShown)), "\""),
        absl::StrCat("a name in the data folder, relative, without \"..\", of at most ", kMaxPath, " bytes"));
  }
  void Fault(const char* field, const std::string& found, const std::string& wanted) {
    faults.push_back(absl::StrCat("spec.", field, " is ", found, "; wants ", wanted));
  }

  std::vector<std::string> faults;
};

void CheckHead(const v1::JobSpec& spec, Checker& check) {
  if (!IsName(spec.name())) {
    check.Fault("name", absl::StrCat("\"", absl::CHexEscape(spec.name().substr(0, kShown)), "\""),
                "[a-z0-9-]{1,63}");
  }
  if (!v1::Objective_IsValid(spec.objective()) || spec.objective() == v1::OBJECTIVE_UNSPECIFIED) {
    check.Fault("objective", absl::StrCat(static_cast<int>(spec.objective())), "one of the objectives");
  }
  switch (spec.start_case()) {
    case v1::JobSpec::kBaseCheckpoint:
      check.Path("base_checkpoint", spec.base_checkpoint());
      break;
    case v1::JobSpec::kFreshConfig:
      check.Path("fresh_config", spec.fresh_config());
      break;
    case v1::JobSpec::START_NOT_SET:  // the miniature
      break;
  }
  check.Path("dataset", spec.dataset());
  if (spec.has_max_restarts()) check.Range("max_restarts", spec.max_restarts(), 0, 100);
}

void CheckResources(const v1::Resources& resources, const SlotCounts& slots, Checker& check) {
  if (resources.has_world_size()) check.Range("resources.world_size", resources.world_size(), 1, kMaxWorld);
  if (resources.has_threads()) check.Range("resources.threads", resources.threads(), 1, 256);
  const int world = resources.has_world_size() ? resources.world_size() : 1;
  if (world >= 1 && world <= kMaxWorld && world > slots.of(resources.gpu())) {
    check.Fault("resources.world_size", absl::StrCat(world),
                absl::StrCat("at most the ", slots.of(resources.gpu()), resources.gpu() ? " GPU" : " CPU",
                             " slots that there are"));
  }
}

void CheckShares(const v1::JobSpec& spec, Checker& check) {
  const v1::TrainParams& params = spec.params();
  const auto share = [&check](const char* field, bool has, double value) {
    if (has) check.Real(field, value, value >= 0 && value <= 1, "0..1");
    return has ? value : 0;
  };
  const double sum = share("params.drop_image", params.has_drop_image(), params.drop_image()) +
                     share("params.drop_text", params.has_drop_text(), params.drop_text()) +
                     share("params.drop_both", params.has_drop_both(), params.drop_both());
  if (sum > kMaxShare) {
    check.Fault("params", absl::StrCat("dropping ", sum), "drop_image + drop_text + drop_both of at most 1");
  }
  if (spec.objective() != v1::OBJECTIVE_INSTRUCT_PIX2PIX &&
      (params.drop_image() > 0 || params.drop_both() > 0)) {
    check.Fault("params.drop_image or drop_both", "set", "none but for INSTRUCT_PIX2PIX");
  }
  const bool denoises =
      spec.objective() == v1::OBJECTIVE_INSTRUCT_PIX2PIX || spec.objective() == v1::OBJECTIVE_TEXT_TO_IMAGE;
  if (params.train_text_encoder() && !denoises) {
    check.Fault("params.train_text_encoder", "true", "false but for INSTRUCT_PIX2PIX and TEXT_TO_IMAGE");
  }
  check.Real("params.min_snr_gamma", params.min_snr_gamma(),
             params.min_snr_gamma() >= 0 && std::isfinite(params.min_snr_gamma()), "a finite number from 0");
  if (params.min_snr_gamma() > 0 && !denoises) {
    check.Fault("params.min_snr_gamma", absl::StrCat(params.min_snr_gamma()),
                "0 but for INSTRUCT_PIX2PIX and TEXT_TO_IMAGE");
  }
  if (params.has_fit_guidance()) {
    const double scale = params.fit_guidance();
    check.Real("params.fit_guidance", scale, scale >= kLeastFitGuidance && scale <= kMaxFitGuidance,
               "0.1..20");
    if (scale != 1 && !denoises) {
      check.Fault("params.fit_guidance", absl::StrCat(scale), "1 but for INSTRUCT_PIX2PIX and TEXT_TO_IMAGE");
    }
    const bool both = spec.objective() == v1::OBJECTIVE_INSTRUCT_PIX2PIX &&
                      (!params.has_drop_both() || params.drop_both() > 0);
    if (scale != 1 && params.has_drop_text() && params.drop_text() == 0 && !both) {
      check.Fault("params.fit_guidance", absl::StrCat(scale),
                  "1 where no sample goes without its text: drop_text");
    }
  }
  if (params.decoder_only() && spec.objective() != v1::OBJECTIVE_AUTOENCODER) {
    check.Fault("params.decoder_only", "true", "false but for AUTOENCODER");
  }
  check.Real("params.latent_noise", params.latent_noise(),
             params.latent_noise() >= 0 && params.latent_noise() <= kMaxLatentNoise, "0..10");
  if (params.latent_noise() > 0 && !params.decoder_only()) {
    check.Fault("params.latent_noise", absl::StrCat(params.latent_noise()), "0 without decoder_only");
  }
  if (params.cache_latents() && !denoises) {
    check.Fault("params.cache_latents", "true", "false but for INSTRUCT_PIX2PIX and TEXT_TO_IMAGE");
  }
}

void CheckOptimizer(const v1::TrainParams& params, Checker& check) {
  const auto unit = [](double value) { return value >= 0 && value < 1; };
  if (params.has_learning_rate()) {
    const double lr = params.learning_rate();
    check.Real("params.learning_rate", lr, lr > 0 && lr <= 1, "over 0 and at most 1");
  }
  if (params.has_weight_decay()) {
    const double decay = params.weight_decay();
    check.Real("params.weight_decay", decay, decay >= 0 && decay <= 1, "0..1");
  }
  const std::tuple<const char*, bool, double> rates[] = {
      {"params.adam_beta1", params.has_adam_beta1(), params.adam_beta1()},
      {"params.adam_beta2", params.has_adam_beta2(), params.adam_beta2()},
      {"params.ema_decay", params.has_ema_decay(), params.ema_decay()}};
  for (const auto& [field, has, value] : rates) {
    if (has) check.Real(field, value, unit(value), "0 to under 1");
  }
  if (params.has_adam_epsilon()) {
    const double epsilon = params.adam_epsilon();
    check.Real("params.adam_epsilon", epsilon, epsilon > 0 && std::isfinite(epsilon), "over 0");
  }
  const double norm = params.max_grad_norm();
  check.Real("params.max_grad_norm", norm, norm >= 0 && std::isfinite(norm), "0 or more");
  if (!v1::Optimizer_IsValid(params.optimizer())) {
    check.Fault("params.optimizer", absl::StrCat(static_cast<int>(params.optimizer())),
                "one of the optimizers");
  }
  if (!v1::LrSchedule_IsValid(params.lr_schedule())) {
    check.Fault("params.lr_schedule", absl::StrCat(static_cast<int>(params.lr_schedule())),
                "one of the schedules");
  }
}

void CheckBatch(const v1::JobSpec& spec, Checker& check) {
  const v1::TrainParams& params = spec.params();
  const size_t before = check.faults.size();
  if (params.has_batch_size()) check.Range("params.batch_size", params.batch_size(), 1, 65536);
  if (params.has_group_size()) check.Range("params.group_size", params.group_size(), 1, 4096);
  if (params.has_accumulation()) check.Range("params.accumulation", params.accumulation(), 1, 1024);
  if (check.faults.size() > before) return;
  v1::JobSpec filled = spec;
  FillDefaults(filled);
  const int64_t world = std::clamp(filled.resources().world_size(), 1, kMaxWorld);
  const int64_t unit = world * filled.params().accumulation();
  if (filled.params().batch_size() % unit != 0) {
    check.Fault("params.batch_size", absl::StrCat(filled.params().batch_size()),
                absl::StrCat("a multiple of ", unit, ", which is world_size times accumulation"));
  } else if (spec.objective() == v1::OBJECTIVE_CLIP && filled.params().batch_size() == unit) {
    check.Fault("params.batch_size", absl::StrCat(unit),
                absl::StrCat("at least ", 2 * unit, " for CLIP: a picture is told from others of its part"));
  }
}

void CheckResize(const v1::TrainParams& params, Checker& check) {
  const int64_t resolution = params.has_resolution() ? params.resolution() : 256;
  const int64_t low = params.has_min_resize() ? params.min_resize() : resolution;
  const int64_t high = params.has_max_resize() ? params.max_resize() : low;
  if (params.has_min_resize()) check.Range("params.min_resize", low, resolution, kMaxResize);
  if (params.has_max_resize()) check.Range("params.max_resize", high, low, kMaxResize);
  if (params.cache_latents() && (low != resolution || high != resolution)) {
    check.Fault("params.cache_latents", "true", "false where crops are random: min_resize or max_resize");
  }
}

void CheckCourse(const v1::TrainParams& params, Checker& check) {
  if (params.has_max_steps()) check.Range("params.max_steps", params.max_steps(), 1, kMaxSteps);
  const int64_t steps = params.has_max_steps() ? params.max_steps() : 10000;
  check.Range("params.warmup_steps", params.warmup_steps(), 0, std::max<int64_t>(0, steps));
  if (params.has_resolution() &&
      (params.resolution() < 64 || params.resolution() > 1024 || params.resolution() % 64 != 0)) {
    check.Fault("params.resolution", absl::StrCat(params.resolution()), "a multiple of 64 in 64..1024");
  }
  CheckResize(params, check);
  if (params.has_checkpoint_every()) {
    check.Range("params.checkpoint_every", params.checkpoint_every(), 1, kMaxSteps);
  }
  if (params.has_keep_checkpoints()) {
    check.Range("params.keep_checkpoints", params.keep_checkpoints(), 1, 1000);
  }
  check.Range("params.validate_every", params.validate_every(), 0, kMaxSteps);
  if (params.has_validation_samples()) {
    check.Range("params.validation_samples", params.validation_samples(), 1, 256);
  }
  const auto precision = static_cast<int>(params.precision());
  if (precision != model::v1::PRECISION_UNSPECIFIED && precision != model::v1::PRECISION_FP32 &&
      precision != model::v1::PRECISION_BF16) {
    check.Fault("params.precision", absl::StrCat(precision), "fp32 or bf16");
  }
}

const char* ObjectiveName(v1::Objective objective) {
  switch (objective) {
    case v1::OBJECTIVE_INSTRUCT_PIX2PIX:
      return "instruct-pix2pix";
    case v1::OBJECTIVE_TEXT_TO_IMAGE:
      return "text-to-image";
    case v1::OBJECTIVE_AUTOENCODER:
      return "autoencoder";
    case v1::OBJECTIVE_CLIP:
      return "clip";
    default:
      return "unknown";
  }
}

}  // namespace

bool IsName(const std::string& text) {
  if (text.empty() || text.size() > 63) return false;
  return std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '-';
  });
}

std::vector<std::string> SpecFaults(const v1::JobSpec& spec, const SlotCounts& slots) {
  Checker check;
  CheckHead(spec, check);
  CheckCourse(spec.params(), check);
  CheckBatch(spec, check);
  CheckOptimizer(spec.params(), check);
  CheckShares(spec, check);
  CheckResources(spec.resources(), slots, check);
  return check.faults;
}

void FillDefaults(v1::JobSpec& spec) {
  if (!spec.has_max_restarts()) spec.set_max_restarts(10);
  v1::Resources& resources = *spec.mutable_resources();
  if (!resources.has_world_size()) resources.set_world_size(1);
  v1::TrainParams& params = *spec.mutable_params();
  if (!params.has_max_steps()) params.set_max_steps(10000);
  if (!params.has_batch_size()) params.set_batch_size(32);
  if (!params.has_group_size()) params.set_group_size(1);
  if (!params.has_accumulation()) params.set_accumulation(1);
  if (!params.has_learning_rate()) params.set_learning_rate(1e-4);
  if (params.lr_schedule() == v1::LR_SCHEDULE_UNSPECIFIED) params.set_lr_schedule(v1::LR_SCHEDULE_CONSTANT);
  if (!params.has_weight_decay()) params.set_weight_decay(0.01);
  if (!params.has_adam_beta1()) params.set_adam_beta1(0.9);
  if (!params.has_adam_beta2()) params.set_adam_beta2(0.999);
  if (!params.has_adam_epsilon()) params.set_adam_epsilon(1e-8);
  if (!params.has_ema_decay()) params.set_ema_decay(0.9999);
  const bool edits = spec.objective() == v1::OBJECTIVE_INSTRUCT_PIX2PIX;
  const bool captions = spec.objective() == v1::OBJECTIVE_TEXT_TO_IMAGE;
  if (!params.has_fit_guidance()) params.set_fit_guidance(1);
  if (!params.has_drop_image()) params.set_drop_image(edits ? 0.05 : 0);
  if (!params.has_drop_both()) params.set_drop_both(edits ? 0.05 : 0);
  if (!params.has_drop_text()) params.set_drop_text(edits ? 0.05 : captions ? 0.1 : 0);
  if (!params.has_resolution()) params.set_resolution(256);
  if (!params.has_min_resize()) params.set_min_resize(params.resolution());
  if (!params.has_max_resize()) params.set_max_resize(params.min_resize());
  if (params.optimizer() == v1::OPTIMIZER_UNSPECIFIED) params.set_optimizer(v1::OPTIMIZER_ADAMW);
  if (!params.has_random_flip()) params.set_random_flip(true);
  if (!params.has_checkpoint_every()) params.set_checkpoint_every(1000);
  if (!params.has_keep_checkpoints()) params.set_keep_checkpoints(3);
  if (!params.has_validation_samples()) params.set_validation_samples(8);
}

void FillThreads(v1::JobSpec& spec, int threads_per_slot) {
  if (!spec.resources().has_threads()) spec.mutable_resources()->set_threads(threads_per_slot);
}

JobPlan PlanOf(const v1::JobSpec& spec) {
  return {.name = spec.name(),
          .objective = ObjectiveName(spec.objective()),
          .world_size = spec.resources().world_size(),
          .threads = spec.resources().threads(),
          .gpu = spec.resources().gpu(),
          .max_restarts = spec.max_restarts(),
          .max_steps = spec.params().max_steps(),
          .keep_checkpoints = spec.params().keep_checkpoints()};
}

}  // namespace ip2p::training_coordinator
