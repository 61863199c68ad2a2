// The four networks of one Stable Diffusion checkpoint, loaded, frozen and shared. Immutable after loading:
// any number of threads may evaluate them at once.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "common/checkpoint/model_source.h"
#include "common/model/clip/text_encoder.h"
#include "common/model/load_network.h"
#include "common/model/tokenizer/tokenizer.h"
#include "common/model/unet/unet.h"
#include "common/model/vae/vae.h"

namespace ip2p {

struct StableDiffusion {
  ModelConfig config;
  torch::Device device = torch::kCPU;
  torch::ScalarType dtype = torch::kFloat32;
  ClipTextEncoder text_encoder{nullptr};
  UNet unet{nullptr};
  Vae vae{nullptr};
  std::unique_ptr<const Tokenizer> tokenizer;
};

// Strict both ways: FAILED_PRECONDITION naming the first 10 missing, unexpected or misshapen tensors;
// DATA_LOSS on NaN or infinite weights. Peak memory: the loaded weights plus one tensor.
absl::StatusOr<std::shared_ptr<const StableDiffusion>> LoadStableDiffusion(const ModelSource& source,
                                                                           const LoadOptions& options);

}  // namespace ip2p
