#include "common/pipeline/image_tensor.h"

#include <cstring>

namespace ip2p {

torch::Tensor ImageToTensor(const Image& image, torch::Device device) {
  torch::Tensor bytes = torch::from_blob(const_cast<uint8_t*>(image.pixels.data()),
                                         {1, image.height, image.width, 3}, torch::kUInt8);
  return bytes.to(device).permute({0, 3, 1, 2}).to(torch::kFloat32).div(127.5).sub(1.0);
}

Image TensorToImage(const torch::Tensor& tensor) {
  torch::Tensor bytes = tensor.to(torch::kFloat32)
                            .mul(0.5)
                            .add(0.5)
                            .clamp(0, 1)
                            .mul(255)
                            .round()
                            .to(torch::kUInt8)
                            .permute({0, 2, 3, 1})
                            .contiguous()
                            .cpu();
  Image image;
  image.height = static_cast<int>(bytes.size(1));
  image.width = static_cast<int>(bytes.size(2));
  image.pixels.resize(bytes.numel());
  std::memcpy(image.pixels.data(), bytes.data_ptr<uint8_t>(), image.pixels.size());
  return image;
}

}  // namespace ip2p
