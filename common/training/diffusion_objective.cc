// See diffusion_objective.h.
#include "common/training/diffusion_objective.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/diffusion/noise_schedule.h"
#include "common/model/load_network.h"
#include "common/model/process_memory.h"
#include "common/training/autocast.h"
#include "common/training/batch_tensors.h"

namespace ip2p {
namespace {

torch::Tensor PerSample(const torch::Tensor& x) { return x.view({-1, 1, 1, 1}); }

// As many small pictures as have the pixels of one of 512 px: alone they leave most of a processor idle.
size_t ExamplesAtOnce(int64_t side) { return std::clamp<size_t>(512 * 512 / (side * side), 1, 32); }

absl::Status CheckChannels(const ModelConfig& model, bool edits) {
  const int wanted = (edits ? 2 : 1) * model.vae.latent_channels;
  if (model.unet.in_channels == wanted) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("the UNet takes ", model.unet.in_channels, " channels; wants ", wanted));
}

}  // namespace

DiffusionObjective::DiffusionObjective(const TrainConfig& config, const ModelSource& model,
                                       const ObjectiveOptions& options)
    : config_(config), model_(model.config), options_(options) {
  const NoiseSchedule schedule(model_.scheduler);
  const torch::Tensor abar64 = torch::tensor(schedule.alphas_cumprod(), torch::kFloat64);
  root_abar_ = abar64.sqrt().to(torch::kFloat32).to(options.device);
  root_noise_ = (1 - abar64).sqrt().to(torch::kFloat32).to(options.device);
  // An error of x0 of 1 is one of SNR of e, and of SNR + 1 of v.
  const torch::Tensor snr = abar64 / (1 - abar64);
  const bool epsilon = model_.scheduler.prediction == PredictionType::kEpsilon;
  min_snr_weights_ = (snr.clamp_max(config.min_snr_gamma) / (epsilon ? snr : snr + 1))
                         .to(torch::kFloat32)
                         .to(options.device);
}

absl::StatusOr<std::unique_ptr<DiffusionObjective>> DiffusionObjective::Create(
    const ModelSource& model, const TrainConfig& config, const ObjectiveOptions& options) {
  IP2P_RETURN_IF_ERROR(ValidateNoiseSchedule(model.config.scheduler));
  std::unique_ptr<DiffusionObjective> made(new DiffusionObjective(config, model, options));
  IP2P_RETURN_IF_ERROR(CheckChannels(model.config, made->edits()));
  const LoadOptions learns{.device = options.device, .dtype = torch::kFloat32, .pack = false};
  const LoadOptions frozen{.device = options.device,
                           .dtype = options.bf16 ? torch::kBFloat16 : torch::kFloat32};
  IP2P_ASSIGN_OR_RETURN(made->unet_,
                        LoadNetwork<UNet>(model.config.unet, model.unet, "unet", learns, Packing::kNever));
  IP2P_ASSIGN_OR_RETURN(made->vae_,
                        LoadNetwork<Vae>(model.config.vae, model.vae, "vae", frozen, Packing::kAlways));
  const bool text_learns = config.train_text_encoder;
  IP2P_ASSIGN_OR_RETURN(made->text_encoder_,
                        LoadNetwork<ClipTextEncoder>(model.config.text_encoder, model.text_encoder,
                                                     "text_encoder", text_learns ? learns : frozen,
                                                     text_learns ? Packing::kNever : Packing::kAlways));
  IP2P_ASSIGN_OR_RETURN(made->tokenizer_, model.vocab_json.empty()
                                              ? Tokenizer::CreateStandard(model.config.text_encoder)
                                              : Tokenizer::Create(model.vocab_json, model.merges_txt,
                                                                  model.config.text_encoder));
  made->unet_->set_recompute(config.gradient_checkpointing);
  made->text_encoder_->set_recompute(config.gradient_checkpointing && text_learns);
  made->empty_ids_ = TokenIds(*made->tokenizer_, {""}, options.device);
  if (!text_learns) made->empty_text_ = made->EncodeTexts(made->empty_ids_);
  return made;
}

std::vector<LearnedParameter> DiffusionObjective::Parameters() {
  std::vector<LearnedParameter> all;
  AppendParameters("unet.", *unet_, options_.shadows(), all);
  if (config_.train_text_encoder) AppendParameters("text_encoder.", *text_encoder_, options_.shadows(), all);
  return all;
}

TrainBatch DiffusionObjective::FromCache(std::span<const Example> examples) const {
  std::vector<std::vector<torch::Tensor>> columns(3);
  for (const Example& example : examples) {
    const absl::StatusOr<LatentCache::Row> row =
        cache_->Read(example.index, example.choice, example.mirrored);
    TORCH_CHECK(row.ok(), "the cache: ", row.status().ToString());
    for (size_t i = 0; i < columns.size(); ++i) columns[i].push_back((*row)[i]);
  }
  const auto joined = [&](size_t i) {
    return columns[i][0].defined() ? torch::cat(columns[i]).to(options_.device) : torch::Tensor();
  };
  TrainBatch batch{.moments = joined(0), .condition = joined(1)};
  if (config_.train_text_encoder) {
    batch.ids = joined(2).to(torch::kInt64);
  } else {
    batch.text = joined(2);
  }
  return batch;
}

TrainBatch DiffusionObjective::MakeBatch(std::span<const Example> examples, std::vector<uint64_t> seeds) {
  TrainBatch batch;
  if (cache_) {
    batch = FromCache(examples);
  } else {
    std::vector<std::string> texts;
    for (const Example& example : examples) texts.push_back(example.text);
    batch.ids = TokenIds(*tokenizer_, texts, options_.device);
    batch.after = PictureTensor(examples, &Example::after, options_.device);
    if (edits()) batch.before = PictureTensor(examples, &Example::before, options_.device);
  }
  batch.seeds = std::move(seeds);
  return batch;
}

void DiffusionObjective::Prepare(TrainBatch& batch) {
  if (batch.moments.defined()) return;
  const torch::NoGradGuard no_grad;
  if (edits()) {
    // A picture once: a photo stands in several pairs, and is both pictures of a copy.
    const int64_t examples = batch.after.size(0);
    const auto [distinct, places, counts] =
        torch::unique_dim(torch::cat({batch.after, batch.before}), /*dim=*/0, /*sorted=*/true,
                          /*return_inverse=*/true);
    std::vector<torch::Tensor> parts;
    for (const torch::Tensor& part : distinct.split(examples)) parts.push_back(vae_->EncodeMoments(part));
    const torch::Tensor moments = torch::cat(parts).index_select(0, places);
    batch.moments = moments.narrow(0, 0, examples);
    batch.condition = moments.narrow(0, examples, examples).chunk(2, 1)[0];
  } else {
    batch.moments = vae_->EncodeMoments(batch.after);
  }
  if (!config_.train_text_encoder) batch.text = EncodeTexts(batch.ids);
}

std::vector<std::optional<LatentCache::Row>> DiffusionObjective::EncodeRows(
    std::vector<std::optional<Example>> examples) {
  std::vector<std::optional<LatentCache::Row>> rows(examples.size());
  std::vector<Example> whole;
  for (size_t i = 0; i < examples.size(); ++i) {
    if (!examples[i]) continue;
    rows[i].emplace();
    whole.push_back(*std::move(examples[i]));
  }
  if (whole.empty()) return rows;
  TrainBatch batch = MakeBatch(whole, {});
  Prepare(batch);
  // Ids are under 2^24, so float32 holds them.
  for (const torch::Tensor& column :
       {batch.moments, batch.condition, config_.train_text_encoder ? batch.ids : batch.text}) {
    int64_t next = 0;
    for (std::optional<LatentCache::Row>& row : rows)
      if (row) row->push_back(column.defined() ? column.narrow(0, next++, 1) : torch::Tensor());
  }
  return rows;
}

absl::Status DiffusionObjective::Cache(const ExampleSource& source, const AugmentConfig& augment,
                                       const std::string& folder, const GoOn& go_on) {
  std::vector<int64_t> choices;
  for (int64_t i = 0; i < source.size(); ++i) choices.push_back(source.choices(i));
  IP2P_ASSIGN_OR_RETURN(auto cache, LatentCache::Create(folder, choices, augment.flip));
  std::vector<std::optional<Example>> waiting;
  const auto encode = [&]() -> absl::Status {
    for (const auto& row : EncodeRows(std::exchange(waiting, {}))) IP2P_RETURN_IF_ERROR(cache->Append(row));
    return absl::OkStatus();
  };
  const size_t at_once = ExamplesAtOnce(augment.crop);
  int64_t damaged = 0, encoded = 0;
  std::string first_fault;
  for (int64_t i = 0; i < source.size(); ++i) {
    bool whole = true;
    for (int64_t choice = 0; choice < choices[i]; ++choice) {
      const absl::StatusOr<RawExample> raw = source.Get(i, choice);
      if (absl::IsUnavailable(raw.status())) return raw.status();
      absl::Status fault = raw.status();
      for (const bool mirrored : {false, true}) {
        if (mirrored && !augment.flip) continue;
        waiting.emplace_back();
        if (fault.ok()) {
          absl::StatusOr<Example> example = AugmentAs(*raw, augment, mirrored);
          fault.Update(example.status());
          if (example.ok()) waiting.back() = *std::move(example);
        }
        if (waiting.size() < at_once) continue;
        if (!go_on(encoded)) return absl::CancelledError("the examples are not all encoded");
        IP2P_RETURN_IF_ERROR(encode());
        encoded = i;
      }
      if (fault.ok()) continue;
      whole = false;
      if (first_fault.empty()) first_fault = absl::StrCat("; example ", i, ": ", fault.message());
    }
    if (!whole) ++damaged;
    if (damaged * 1000 > source.size())
      return absl::FailedPreconditionError(absl::StrCat(
          damaged, " of ", source.size(), " examples are damaged; wants at most 0.1 %", first_fault));
  }
  IP2P_RETURN_IF_ERROR(encode());
  IP2P_RETURN_IF_ERROR(cache->Finish());
  cache_ = std::move(cache);
  ForgetFrozen();
  return absl::OkStatus();
}

void DiffusionObjective::ForgetFrozen() {
  vae_ = nullptr;
  if (!config_.train_text_encoder) text_encoder_ = nullptr;
  TrimHeap();
}

torch::Tensor DiffusionObjective::EncodeTexts(const torch::Tensor& ids) {
  if (config_.train_text_encoder) return text_encoder_->forward(ids);
  const torch::NoGradGuard no_grad;
  return text_encoder_->forward(ids).to(torch::kFloat32);
}

torch::Tensor DiffusionObjective::Loss(const TrainBatch& given) {
  TrainBatch batch = given;
  Prepare(batch);
  const auto latent = batch.moments.sizes().slice(1);
  return LossOf(batch, DrawDiffusion(batch.seeds, {latent[0] / 2, latent[1], latent[2]},
                                     model_.scheduler.num_train_timesteps, options_.device));
}

torch::Tensor DiffusionObjective::TargetOfGuidance(const torch::Tensor& input, const torch::Tensor& timesteps,
                                                   const torch::Tensor& told, const torch::Tensor& target) {
  const torch::NoGradGuard no_grad;
  const torch::Tensor rows = told.nonzero().squeeze(1);
  if (rows.size(0) == 0) return target;
  torch::Tensor untold;
  {
    const AutocastScope autocast(options_.device, options_.bf16);
    const torch::Tensor empty = config_.train_text_encoder ? EncodeTexts(empty_ids_) : empty_text_;
    untold = unet_
                 ->forward(input.index_select(0, rows), timesteps.index_select(0, rows).to(torch::kFloat32),
                           unet_->PrepareText(empty.expand({rows.size(0), -1, -1})))
                 .to(torch::kFloat32);
  }
  return target.index_copy(0, rows, untold.lerp(target.index_select(0, rows), 1 / config_.fit_guidance));
}

torch::Tensor DiffusionObjective::LossOf(const TrainBatch& batch, const DiffusionDraws& draws) {
  // 1. The target's latents: a sample of the autoencoder's posterior, scaled to a spread of about 1.
  const auto moments = batch.moments.chunk(2, 1);
  const torch::Tensor deviation = (0.5 * moments[1].clamp(-30, 20)).exp();
  const torch::Tensor z = (moments[0] + deviation * draws.posterior_noise) * model_.vae.scaling_factor;

  // 2. What is left out, by one number a sample: text below drop_text, both up to drop_both more, image up
  //    to drop_image more (ddpm_edit.py: random < 2 u; u <= random < 3 u).
  const double text_end = config_.drop_text;
  const double both_end = text_end + (edits() ? config_.drop_both : 0);
  const torch::Tensor no_text = draws.dropout < both_end;
  torch::Tensor ids, text;  // the tokens where the text encoder learns, else what it made of them
  if (config_.train_text_encoder) {
    ids = torch::where(no_text.view({-1, 1}), empty_ids_, batch.ids);
  } else {
    text = torch::where(no_text.view({-1, 1, 1}), empty_text_, batch.text);
  }

  // 3. z_t = sqrt(abar_t) z + sqrt(1 - abar_t) e
  const torch::Tensor signal = PerSample(root_abar_.index({draws.timesteps}));
  const torch::Tensor spread = PerSample(root_noise_.index({draws.timesteps}));
  torch::Tensor input = signal * z + spread * draws.noise;
  if (edits()) {
    const torch::Tensor no_image =
        (draws.dropout >= text_end).logical_and(draws.dropout < both_end + config_.drop_image);
    input = torch::cat({input, batch.condition * PerSample(no_image.logical_not().to(torch::kFloat32))}, 1);
  }

  // 4. The UNet's prediction of e, or of v = sqrt(abar_t) e - sqrt(1 - abar_t) z.
  torch::Tensor prediction;
  {
    const AutocastScope autocast(options_.device, options_.bf16);
    const TextContext context = unet_->PrepareText(text.defined() ? text : EncodeTexts(ids));
    prediction = unet_->forward(input, draws.timesteps.to(torch::kFloat32), context);
  }
  torch::Tensor target = model_.scheduler.prediction == PredictionType::kEpsilon
                             ? draws.noise
                             : signal * draws.noise - spread * z;
  if (config_.fit_guidance != 1)
    target = TargetOfGuidance(input, draws.timesteps, no_text.logical_not(), target);

  // 5. Mean square error, in float32, each sample's weighed by its noise.
  if (config_.min_snr_gamma == 0) return torch::mse_loss(prediction.to(torch::kFloat32), target);
  const torch::Tensor errors = (prediction.to(torch::kFloat32) - target).square().mean({1, 2, 3});
  return (errors * min_snr_weights_.index({draws.timesteps})).mean();
}

}  // namespace ip2p
