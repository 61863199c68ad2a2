// See vae.h.
#include "common/model/vae/vae.h"

namespace ip2p {

VaeImpl::VaeImpl(const VaeConfig& c)
    : encoder_(register_module("encoder", VaeEncoder(c))),
      decoder_(register_module("decoder", VaeDecoder(c))),
      quant_conv_(
          register_module("quant_conv", Conv2d(2 * c.latent_channels, 2 * c.latent_channels, /*kernel=*/1))),
      post_quant_conv_(
          register_module("post_quant_conv", Conv2d(c.latent_channels, c.latent_channels, /*kernel=*/1))) {}

torch::Tensor VaeImpl::EncodeMoments(const torch::Tensor& images) const {
  const torch::Tensor x = images.to(quant_conv_->dtype()).contiguous(torch::MemoryFormat::ChannelsLast);
  return quant_conv_->forward(encoder_->forward(x, recompute_)).to(images.scalar_type());
}

torch::Tensor VaeImpl::Decode(const torch::Tensor& latents) const {
  const torch::Tensor z = latents.to(post_quant_conv_->dtype()).contiguous(torch::MemoryFormat::ChannelsLast);
  return decoder_->forward(post_quant_conv_->forward(z), recompute_).to(latents.scalar_type());
}

}  // namespace ip2p
