// See pair_denoiser.h.
#include "common/pipeline/pair_denoiser.h"

#include <algorithm>
#include <utility>

#include "common/base/status_macros.h"
#include "common/diffusion/denoiser.h"
#include "common/diffusion/prompt_to_prompt.h"
#include "common/diffusion/request_noise.h"

namespace ip2p {
namespace {

// A solo pair meets three: the first step's, with shared maps, without. A batch meets more as its pairs stop
// sharing one by one, and never the old ones again.
constexpr size_t kKeptTexts = 4;

// The rows of x that one evaluation of the UNet is given, at their place in the batch.
torch::Tensor Inputs(std::span<const PairItem> items, const std::vector<PairRow>& rows, double sigma) {
  std::vector<torch::Tensor> scaled, inputs;
  scaled.reserve(items.size());
  inputs.reserve(rows.size());
  for (const PairItem& item : items) scaled.push_back(NetworkInput(item.sampler->x(), sigma));
  for (const PairRow& row : rows) inputs.push_back(scaled[row.pair].narrow(0, row.image, 1));
  return torch::cat(inputs);
}

}  // namespace

absl::StatusOr<PairItem> StartPair(uint64_t seed, const PairParams& params, const NoiseSchedule& schedule,
                                   at::IntArrayRef latents, torch::Device device) {
  PairItem item{.seed = seed};
  auto noise = std::make_shared<NoiseGenerator>(seed, device);
  torch::Tensor start = noise->Draw(latents);
  item.p2p_threshold = params.min_p2p + noise->DrawUniform() * (params.max_p2p - params.min_p2p);
  item.cfg_scale = params.min_cfg + noise->DrawUniform() * (params.max_cfg - params.min_cfg);
  auto draw_for_both = [noise, start, shape = latents.vec()]() mutable {
    const torch::Tensor one = start.defined() ? std::exchange(start, {}) : noise->Draw(shape);
    return one.expand({2, -1, -1, -1});
  };
  IP2P_ASSIGN_OR_RETURN(item.sampler, Sampler::Create({.kind = SamplerKind::kEulerA, .steps = params.steps},
                                                      schedule, std::move(draw_for_both)));
  return item;
}

PairDenoiser::PairDenoiser(const StableDiffusion& model, const NoiseSchedule& schedule,
                           const torch::Tensor& texts, PairPhoto photo, double common_steps, bool reuse_maps,
                           BatchTrials& trials)
    : model_(model),
      schedule_(schedule),
      photo_(std::move(photo)),
      common_steps_(common_steps),
      reuse_maps_(reuse_maps),
      trials_(trials) {
  UNet unet = model_.unet;
  texts_ = unet->PrepareText(texts);
}

PairPhase PairDenoiser::Phase(int step, int steps) const {
  if (TakesCommonStep(common_steps_, step, steps)) return PairPhase::kOne;
  if (photo_.latents.defined()) return PairPhase::kSecond;
  const bool parting = step == 0 || TakesCommonStep(common_steps_, step - 1, steps);
  return parting ? PairPhase::kParting : PairPhase::kTwo;
}

torch::Tensor PairDenoiser::Kept(torch::Tensor denoised) const {
  if (!photo_.latents.defined()) return denoised;
  const torch::Tensor after = denoised.narrow(0, 1, 1);
  return torch::cat(
      {photo_.latents, photo_.region.defined() ? torch::where(photo_.region, after, photo_.latents) : after});
}

void PairDenoiser::Step(std::span<PairItem> items, int steps) {
  const Sampler& any = *items[0].sampler;
  const PairPhase phase = Phase(any.step(), steps);
  if (phase == PairPhase::kOne && photo_.latents.defined()) {
    // No network is asked for what is known: x becomes the photo under the next noise.
    for (PairItem& item : items) item.sampler->Feed(photo_.latents.repeat({2, 1, 1, 1}));
    return;
  }
  std::vector<bool> shares;
  for (const PairItem& item : items) shares.push_back(SharesMaps(item.p2p_threshold, any.step(), steps));
  const BatchTrials::Kind kind{.side = any.x().size(2),
                               .pairs = static_cast<int64_t>(items.size()),
                               .shared = std::count(shares.begin(), shares.end(), true),
                               .phase = phase};

  std::vector<torch::Tensor> outputs;
  if (items.size() > 1 && trials_.Proven(kind)) {
    outputs = Predict(items, shares, phase);
  } else {
    outputs = PredictOneByOne(items, shares, phase);
    if (items.size() > 1 && !trials_.Differs(kind)) {
      trials_.Learn(kind, std::ranges::equal(outputs, Predict(items, shares, phase),
                                             [](const torch::Tensor& a, const torch::Tensor& b) {
                                               return torch::equal(a, b);
                                             }));
    }
  }

  for (size_t i = 0; i < items.size(); ++i) {
    const torch::Tensor uncond = outputs[i].narrow(0, kUncond0, 2), cond = outputs[i].narrow(0, kCond0, 2);
    const torch::Tensor guided = uncond + items[i].cfg_scale * (cond - uncond);
    Sampler& sampler = *items[i].sampler;
    sampler.Feed(Kept(Denoised(schedule_.config().prediction, sampler.x(), sampler.sigma(), guided)));
  }
}

std::vector<torch::Tensor> PairDenoiser::Predict(std::span<const PairItem> items,
                                                 const std::vector<bool>& shares, PairPhase phase) {
  const double sigma = items[0].sampler->sigma();
  const PairRows plan = PlanPairRows(shares, phase);
  const torch::Tensor x = Inputs(items, plan.rows, sigma);
  const torch::Tensor timesteps =
      torch::full({x.size(0)}, schedule_.SigmaToTimestep(sigma), torch::kFloat32).to(model_.device);
  UNet unet = model_.unet;
  const torch::Tensor e = unet->forward(x.to(model_.dtype), timesteps, Texts(plan.rows),
                                        {.borrowers = plan.borrowers, .reuse = reuse_maps_})
                              .to(torch::kFloat32);
  std::vector<torch::Tensor> outputs;
  for (const std::array<int64_t, 4>& rows : plan.row_of) {
    outputs.push_back(e.index_select(0, torch::tensor(at::ArrayRef<int64_t>(rows)).to(model_.device)));
  }
  return outputs;
}

std::vector<torch::Tensor> PairDenoiser::PredictOneByOne(std::span<const PairItem> items,
                                                         const std::vector<bool>& shares, PairPhase phase) {
  std::vector<torch::Tensor> outputs;
  for (size_t i = 0; i < items.size(); ++i) {
    outputs.push_back(Predict(items.subspan(i, 1), {shares[i]}, phase).front());
  }
  return outputs;
}

const TextContext& PairDenoiser::Texts(const std::vector<PairRow>& rows) {
  std::vector<int64_t> ids;
  ids.reserve(rows.size());
  for (const PairRow& row : rows) ids.push_back(row.text);
  if (const auto found = gathered_.find(ids); found != gathered_.end()) return found->second;
  if (gathered_.size() >= kKeptTexts) gathered_.clear();
  TextContext& context = gathered_[ids];
  const torch::Tensor index = torch::tensor(ids).to(model_.device);
  for (const torch::Tensor& keys : texts_.keys) context.keys.push_back(keys.index_select(0, index));
  for (const torch::Tensor& values : texts_.values) context.values.push_back(values.index_select(0, index));
  return context;
}

}  // namespace ip2p
