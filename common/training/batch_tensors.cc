// See batch_tensors.h.
#include "common/training/batch_tensors.h"

#include "common/pipeline/image_tensor.h"

namespace ip2p {

torch::Tensor TokenIds(const Tokenizer& tokenizer, const std::vector<std::string>& texts,
                       torch::Device device) {
  std::vector<torch::Tensor> rows;
  for (const std::string& text : texts) rows.push_back(torch::tensor(tokenizer.Encode(text).ids));
  return torch::stack(rows).to(device);
}

torch::Tensor PictureTensor(std::span<const Example> examples, Image Example::*picture,
                            torch::Device device) {
  std::vector<torch::Tensor> rows;
  for (const Example& example : examples) rows.push_back(ImageToTensor(example.*picture, torch::kCPU));
  return torch::cat(rows).to(device);
}

void AppendParameters(const std::string& prefix, torch::nn::Module& module,
                      std::vector<std::pair<std::string, torch::Tensor>>& all) {
  for (const auto& item : module.named_parameters()) all.emplace_back(prefix + item.key(), item.value());
}

}  // namespace ip2p
