// Help texts are those of job.proto in short; defaults are the coordinator's.
#include "services/cli/train_spec_flags.h"

#include <google/protobuf/util/json_util.h>

#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "common/base/status_macros.h"
#include "services/cli/files.h"

namespace ip2p {
namespace {

namespace v1 = training::v1;

constexpr size_t kMaxSpecBytes = 1 << 20;

// Adds flags of one group, which write into one part of the spec.
template <typename Part>
class FlagAdder {
 public:
  FlagAdder(CLI::App& app, const char* group, std::function<Part&(v1::JobSpec&)> part, SpecFlags& flags)
      : app_(app), group_(group), part_(std::move(part)), flags_(flags) {}

  template <typename Value>
  void Number(const char* name, void (Part::*set)(Value), const char* about) {
    const auto given = std::make_shared<std::optional<Value>>();
    app_.add_option(name, *given, about)->group(group_);
    Set(given, [set](Part& part, Value value) { (part.*set)(value); });
  }
  void Text(const char* name, void (*set)(Part&, const std::string&), const char* about) {
    const auto given = std::make_shared<std::optional<std::string>>();
    app_.add_option(name, *given, about)->group(group_);
    Set(given, set);
  }
  template <typename Enum>
  void Word(const char* name, std::map<std::string, Enum> words, void (Part::*set)(Enum), const char* about) {
    const auto given = std::make_shared<std::optional<std::string>>();
    std::vector<std::string> names;
    names.reserve(words.size());
    for (const auto& [word, value] : words) names.push_back(word);
    app_.add_option(name, *given, about)->check(CLI::IsMember(names))->group(group_);
    Set(given, [set, words = std::move(words)](Part& part, const std::string& word) {
      (part.*set)(words.at(word));
    });
  }
  // "--flag,!--no-flag".
  void Switch(const char* names, void (Part::*set)(bool), const char* about) {
    const auto given = std::make_shared<std::optional<bool>>();
    app_.add_flag_function(
            names, [given](int64_t count) { *given = count > 0; }, about)
        ->run_callback_for_default()  // of the settings file
        ->group(group_);
    Set(given, [set](Part& part, bool value) { (part.*set)(value); });
  }

 private:
  template <typename Value, typename Setter>
  void Set(const std::shared_ptr<std::optional<Value>>& given, Setter set) {
    flags_.setters.push_back([part = part_, given, set](v1::JobSpec& spec) {
      if (*given) set(part(spec), **given);
    });
  }

  CLI::App& app_;
  const char* const group_;
  const std::function<Part&(v1::JobSpec&)> part_;
  SpecFlags& flags_;
};

void AddHead(CLI::App& command, SpecFlags& flags) {
  FlagAdder<v1::JobSpec> add(
      command, "Job", [](v1::JobSpec& spec) -> v1::JobSpec& { return spec; }, flags);
  using Spec = v1::JobSpec;
  add.Text(
      "--name", [](Spec& s, const std::string& v) { s.set_name(v); }, "Name for people, [a-z0-9-]");
  add.Word<v1::Objective>("--objective",
                          {{"instruct-pix2pix", v1::OBJECTIVE_INSTRUCT_PIX2PIX},
                           {"text-to-image", v1::OBJECTIVE_TEXT_TO_IMAGE},
                           {"autoencoder", v1::OBJECTIVE_AUTOENCODER},
                           {"clip", v1::OBJECTIVE_CLIP}},
                          &Spec::set_objective, "What is learned");
  add.Text(
      "--base-checkpoint", [](Spec& s, const std::string& v) { s.set_base_checkpoint(v); },
      "Weights to start from, by their name in the coordinator's data folder (default: the miniature)");
  add.Text(
      "--fresh-config", [](Spec& s, const std::string& v) { s.set_fresh_config(v); },
      "Folder of configs to start from with fresh weights, in the data folder");
  command.get_option("--base-checkpoint")->excludes("--fresh-config");
  add.Text(
      "--dataset", [](Spec& s, const std::string& v) { s.set_dataset(v); },
      "Dataset or packed shards, in the data folder");
  add.Number("--max-restarts", &Spec::set_max_restarts, "Restarts after lost workers before the job fails");
}

void AddCourse(FlagAdder<v1::TrainParams>& add) {
  using Params = v1::TrainParams;
  add.Number("--max-steps", &Params::set_max_steps, "Optimizer steps in all");
  add.Number("--batch-size", &Params::set_batch_size, "Samples a step, over all workers and --accumulation");
  add.Number("--accumulation", &Params::set_accumulation, "Forward passes that a step is split into");
  add.Number("--resolution", &Params::set_resolution, "Side of the training images in px");
  add.Number("--min-resize", &Params::set_min_resize,
             "Least side that images are resized to before a random crop (default: the resolution)");
  add.Number("--max-resize", &Params::set_max_resize, "Largest such side (default: the least)");
  add.Switch("--random-flip,!--no-random-flip", &Params::set_random_flip, "Mirror samples at random");
  add.Number("--seed", &Params::set_seed, "Of order, crops, noise, timesteps and dropout");
  add.Number("--drop-image", &Params::set_drop_image, "Share of samples without the image");
  add.Number("--drop-text", &Params::set_drop_text, "Share of samples without the text");
  add.Number("--drop-both", &Params::set_drop_both, "Share of samples with neither");
  add.Number("--min-snr-gamma", &Params::set_min_snr_gamma,
             "Weigh strong noise less: min(SNR, gamma); the paper's is 5; 0: all alike");
  add.Number("--fit-guidance", &Params::set_fit_guidance,
             "Text guidance scale at which the model says what the pictures teach; 1: plain training");
  add.Switch("--decoder-only,!--no-decoder-only", &Params::set_decoder_only,
             "Leave the autoencoder's encoder as it is, so that latents mean what they did");
  add.Number("--latent-noise", &Params::set_latent_noise,
             "Most noise in the latents that such a decoder learns from, in spreads of theirs");
  add.Number("--group-size", &Params::set_group_size,
             "Examples that stay together when the dataset is shuffled, as `shapes draw --alike` makes them");
  add.Number("--checkpoint-every", &Params::set_checkpoint_every, "Steps between checkpoints");
  add.Number("--keep-checkpoints", &Params::set_keep_checkpoints, "Checkpoints kept, newest first");
  add.Number("--validate-every", &Params::set_validate_every, "Steps between validations; 0: none");
  add.Number("--validation-samples", &Params::set_validation_samples, "Samples of a validation");
}

void AddOptimizer(FlagAdder<v1::TrainParams>& add) {
  using Params = v1::TrainParams;
  add.Word<v1::Optimizer>("--optimizer",
                          {{"adamw", v1::OPTIMIZER_ADAMW}, {"adamw-8bit", v1::OPTIMIZER_ADAMW_8BIT}},
                          &Params::set_optimizer, "adamw-8bit keeps a quarter of AdamW's state");
  add.Number("--learning-rate", &Params::set_learning_rate, "Peak learning rate");
  add.Word<v1::LrSchedule>("--lr-schedule",
                           {{"constant", v1::LR_SCHEDULE_CONSTANT}, {"cosine", v1::LR_SCHEDULE_COSINE}},
                           &Params::set_lr_schedule, "How it moves after the warm-up");
  add.Number("--warmup-steps", &Params::set_warmup_steps, "Steps of linear warm-up");
  add.Number("--weight-decay", &Params::set_weight_decay, "AdamW's weight decay");
  add.Number("--adam-beta1", &Params::set_adam_beta1, "AdamW's first decay rate");
  add.Number("--adam-beta2", &Params::set_adam_beta2, "AdamW's second decay rate");
  add.Number("--adam-epsilon", &Params::set_adam_epsilon, "AdamW's epsilon");
  add.Number("--max-grad-norm", &Params::set_max_grad_norm, "Largest norm of the gradient; 0: not clipped");
  add.Number("--ema-decay", &Params::set_ema_decay, "Decay of the averaged weights; 0: none are kept");
}

void AddMemory(FlagAdder<v1::TrainParams>& add) {
  using Params = v1::TrainParams;
  add.Word<model::v1::Precision>("--precision",
                                 {{"fp32", model::v1::PRECISION_FP32}, {"bf16", model::v1::PRECISION_BF16}},
                                 &Params::set_precision, "Of the forward and backward pass");
  add.Switch("--gradient-checkpointing,!--no-gradient-checkpointing", &Params::set_gradient_checkpointing,
             "Compute activations again in the backward pass, to save memory");
  add.Switch("--cache-latents,!--no-cache-latents", &Params::set_cache_latents,
             "Encode images and frozen texts once; their networks then leave memory");
  add.Switch("--train-text-encoder,!--no-train-text-encoder", &Params::set_train_text_encoder,
             "Let the text encoder learn too");
}

void AddResources(CLI::App& command, SpecFlags& flags) {
  using Resources = v1::Resources;
  FlagAdder<Resources> add(
      command, "Resources", [](v1::JobSpec& spec) -> Resources& { return *spec.mutable_resources(); }, flags);
  add.Number("--world-size", &Resources::set_world_size, "Workers");
  add.Number("--threads", &Resources::set_threads, "CPU threads of each worker");
  add.Switch("--gpu,!--no-gpu", &Resources::set_gpu, "Give each worker a GPU rather than a CPU slot");
}

}  // namespace

void AddSpecFlags(CLI::App& command, SpecFlags& flags) {
  command
      .add_option("--spec", flags.file,
                  "JSON file of the job (ip2p.training.v1.JobSpec), as the training worker takes it; - for "
                  "standard input. Flags win over it")
      ->group("Job");
  AddHead(command, flags);
  FlagAdder<v1::TrainParams> params(
      command, "Training", [](v1::JobSpec& spec) -> v1::TrainParams& { return *spec.mutable_params(); },
      flags);
  AddCourse(params);
  AddOptimizer(params);
  AddMemory(params);
  AddResources(command, flags);
}

absl::StatusOr<v1::JobSpec> ReadSpec(const SpecFlags& flags, std::istream& in) {
  v1::JobSpec spec;
  if (!flags.file.empty()) {
    IP2P_ASSIGN_OR_RETURN(const std::string text, ReadInput(flags.file, kMaxSpecBytes, in));
    const auto parsed = google::protobuf::util::JsonStringToMessage(text, &spec);
    if (!parsed.ok()) {
      const auto why = parsed.message();
      return absl::InvalidArgumentError(
          absl::StrCat(flags.file, " is no JobSpec in JSON: ", absl::string_view(why.data(), why.size())));
    }
  }
  for (const auto& set : flags.setters) set(spec);
  return spec;
}

}  // namespace ip2p
