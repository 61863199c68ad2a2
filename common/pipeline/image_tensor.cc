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

torch::Tensor MaskTensor(const Mask& mask, torch::Device device) {
  const torch::Tensor values = torch::from_blob(const_cast<uint8_t*>(mask.values.data()),
                                                {1, 1, mask.height, mask.width}, torch::kUInt8);
  return values.ne(0).to(device);
}

Mask TensorToMask(const torch::Tensor& tensor) {
  const torch::Tensor bytes =
      tensor.to(torch::kFloat32).mul(255).round().clamp(0, 255).to(torch::kUInt8).contiguous().cpu();
  const uint8_t* values = bytes.data_ptr<uint8_t>();
  return {static_cast<int>(bytes.size(3)), static_cast<int>(bytes.size(2)), {values, values + bytes.numel()}};
}

}  // namespace ip2p
