#include "common/pipeline/edit_job.h"

#include <utility>

#include "absl/strings/str_format.h"
#include "common/base/status_macros.h"
#include "common/diffusion/request_noise.h"
#include "common/image/fit.h"
#include "common/model/process_memory.h"
#include "common/model/weights.h"
#include "common/pipeline/image_tensor.h"

namespace ip2p {
namespace {

constexpr int64_t kMaxPixels = 2048 * 2048;  // attention over more latents takes minutes a step

// Tells the observer and the job how long a stage took.
class StageTimer {
 public:
  StageTimer(const char* stage, EngineObserver& observer, absl::Duration& total)
      : stage_(stage), observer_(observer), total_(total), start_(absl::Now()) {}
  ~StageTimer() {
    const absl::Duration took = absl::Now() - start_;
    total_ += took;
    observer_.OnStage(stage_, took);
  }

 private:
  const char* stage_;
  EngineObserver& observer_;
  absl::Duration& total_;
  absl::Time start_;
};

}  // namespace

absl::StatusOr<EditOrder> MakeOrder(EditEngine::EditId id, const Image& input, EditParams params,
                                    absl::Time deadline, EditCallbacks callbacks) {
  IP2P_RETURN_IF_ERROR(ValidateEdit(params, input));
  EditOrder order{.id = id};
  IP2P_ASSIGN_OR_RETURN(order.size, DenoisedSizeOf({input.width, input.height}, params.resolution));
  const ImageSize& canvas = order.size.canvas;
  if (int64_t{canvas.width} * canvas.height > kMaxPixels) {
    return absl::InvalidArgumentError(
        absl::StrFormat("image of %dx%d at resolution %d becomes %dx%d; wants at most %d pixels", input.width,
                        input.height, params.resolution, canvas.width, canvas.height, kMaxPixels));
  }
  IP2P_ASSIGN_OR_RETURN(order.photo, DenoisedPhoto(input, params, order.size));
  order.deadline = deadline;
  order.callbacks = std::move(callbacks);
  order.params = std::move(params);
  return order;
}

absl::StatusOr<std::shared_ptr<EditJob>> PrepareJob(const StableDiffusion& model, EditOrder order,
                                                    EngineObserver& observer) {
  auto job = std::make_shared<EditJob>();
  job->order = std::move(order);
  const EditParams& params = job->order.params;
  job->result.params = params;
  job->result.outputs.resize(params.count);
  if (params.instruction.empty()) {  // the reference returns its (resized) input
    for (int i = 0; i < params.count; ++i)
      job->result.outputs[i] = {.image = CropTopLeft(job->order.photo, job->order.size.photo),
                                .seed = params.seed + i};
    job->started_outputs = job->finished_outputs = params.count;
    return job;
  }
  {
    StageTimer timer("text", observer, job->fixed_time);
    const TokenizedText instruction = model.tokenizer->Encode(params.instruction);
    const TokenizedText negative = model.tokenizer->Encode(params.negative);
    job->result.instruction_truncated = instruction.truncated;
    job->result.negative_truncated = negative.truncated;
    ClipTextEncoder text_encoder = model.text_encoder;
    const torch::Tensor ids = torch::stack({torch::tensor(instruction.ids), torch::tensor(negative.ids)});
    job->texts = text_encoder->forward(ids.to(model.device));
    ReleaseSharedWeights(*text_encoder);  // not needed before the next edit
  }
  TrimHeap();  // each stage leaves other holes behind, which the next one's tensors don't fit
  {
    StageTimer timer("encode", observer, job->fixed_time);
    Vae vae = model.vae;
    const torch::Tensor pixels = ImageToTensor(job->order.photo, model.device);
    job->image_latents = vae->EncodeMode(pixels.to(model.dtype)).to(torch::kFloat32).contiguous();
    job->photo_latents = job->image_latents * model.config.vae.scaling_factor;
    if (params.preview_every > 0) job->preview.emplace(pixels, job->photo_latents);
    if (params.mask != nullptr) {
      job->mask =
          MaskTensor(LatentMask(*params.mask, job->order.size, model.config.vae.downscale()), model.device);
    }
  }
  TrimHeap();
  job->branches = GuidanceBranches({.text = params.cfg_text, .image = params.cfg_image},
                                   /*with_difference=*/params.auto_mask.has_value());
  return job;
}

absl::StatusOr<DenoiseItem> StartOutput(const StableDiffusion& model, const NoiseSchedule& schedule,
                                        std::shared_ptr<EditJob> job, uint64_t serial) {
  const EditParams& params = job->order.params;
  DenoiseItem item{.serial = serial, .output = job->started_outputs};
  const uint32_t seed = params.seed + static_cast<uint32_t>(item.output);
  job->result.outputs[item.output].seed = seed;
  auto noise = std::make_shared<NoiseGenerator>(seed, model.device);
  IP2P_ASSIGN_OR_RETURN(
      item.sampler,
      Sampler::Create({.kind = params.sampler, .schedule = params.schedule, .steps = params.steps}, schedule,
                      [noise, shape = job->image_latents.sizes().vec()] { return noise->Draw(shape); }));
  ++job->started_outputs;
  item.mask = job->mask;
  item.job = std::move(job);
  return item;
}

absl::Status FinishOutput(const StableDiffusion& model, const DenoiseItem& item, EngineObserver& observer) {
  EditJob& job = *item.job;
  TrimHeap();
  StageTimer timer("decode", observer, job.fixed_time);
  Vae vae = model.vae;
  const torch::Tensor latents = item.sampler->latents() / model.config.vae.scaling_factor;
  const torch::Tensor decoded = vae->Decode(latents.to(model.dtype));
  if (!torch::isfinite(decoded.sum(torch::kFloat32)).item<bool>()) {
    return absl::InternalError(absl::StrFormat(
        "output %d is not finite after %d steps; wants numbers: try precision fp32 or lower scales",
        item.output, job.order.params.steps));
  }
  EditOutput& output = job.result.outputs[item.output];
  output.image = CropTopLeft(TensorToImage(decoded), job.order.size.photo);
  if (!item.relevance.empty()) output.mask = TensorToMask(item.relevance.Normalised());
  ++job.finished_outputs;
  TrimHeap();
  return absl::OkStatus();
}

}  // namespace ip2p
