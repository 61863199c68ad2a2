// See stable_diffusion.h.
#include "common/model/stable_diffusion.h"

#include <future>

#include "common/base/status_macros.h"
#include "common/model/load_network.h"
#include "common/model/process_memory.h"

namespace ip2p {

absl::StatusOr<std::shared_ptr<const StableDiffusion>> LoadStableDiffusion(const ModelSource& source,
                                                                           const LoadOptions& options) {
  const torch::NoGradGuard no_grad;
  auto model = std::make_shared<StableDiffusion>();
  model->config = source.config;
  model->device = options.device;
  model->dtype = options.dtype;
  const TextEncoderConfig& text = source.config.text_encoder;
  // Parsing the vocabulary takes one core 60 ms, beside which the networks load.
  auto tokenizer = std::async(std::launch::async, [&source, &text] {
    return source.vocab_json.empty() ? Tokenizer::CreateStandard(text)
                                     : Tokenizer::Create(source.vocab_json, source.merges_txt, text);
  });
  IP2P_ASSIGN_OR_RETURN(model->text_encoder,
                        LoadNetwork<ClipTextEncoder>(text, source.text_encoder, "text_encoder", options,
                                                     Packing::kUnlessShared));
  IP2P_ASSIGN_OR_RETURN(model->vae,
                        LoadNetwork<Vae>(source.config.vae, source.vae, "vae", options, Packing::kAlways));
  IP2P_ASSIGN_OR_RETURN(
      model->unet, LoadNetwork<UNet>(source.config.unet, source.unet, "unet", options, Packing::kAlways));
  IP2P_ASSIGN_OR_RETURN(model->tokenizer, tokenizer.get());
  TrimHeap();
  return model;
}

}  // namespace ip2p
