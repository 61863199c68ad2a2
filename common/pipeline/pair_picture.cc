// See pair_picture.h.
#include "common/pipeline/pair_picture.h"

#include <cstring>
#include <vector>

namespace ip2p {

torch::Tensor DecodePictures(const StableDiffusion& model, const torch::Tensor& latents) {
  Vae vae = model.vae;
  const torch::Tensor z = (latents / model.config.vae.scaling_factor).to(model.dtype);
  std::vector<torch::Tensor> pictures;
  for (int64_t i = 0; i < z.size(0); ++i) {
    const torch::Tensor decoded = vae->Decode(z.narrow(0, i, 1)).to(torch::kFloat32);
    pictures.push_back(((decoded + 1) / 2).clamp(0, 1).contiguous());
  }
  return torch::cat(pictures);
}

Image TruncatedImage(const torch::Tensor& picture) {
  const torch::Tensor bytes = picture.mul(255).to(torch::kUInt8).permute({1, 2, 0}).contiguous().cpu();
  Image image{.width = static_cast<int>(bytes.size(1)), .height = static_cast<int>(bytes.size(0))};
  image.pixels.resize(bytes.numel());
  std::memcpy(image.pixels.data(), bytes.const_data_ptr<uint8_t>(), image.pixels.size());
  return image;
}

}  // namespace ip2p
