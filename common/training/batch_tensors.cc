// See batch_tensors.h.
#include "common/training/batch_tensors.h"

#include <set>

#include "common/model/layers.h"
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

void AppendParameters(const std::string& prefix, torch::nn::Module& module, bool shadows,
                      std::vector<LearnedParameter>& all) {
  std::set<const torch::TensorImpl*> products;  // of what autocast computes in bf16
  for (const auto& part : module.modules()) {
    if (!part->as<LinearImpl>() && !part->as<Conv2dImpl>()) continue;
    for (const torch::Tensor& parameter : part->parameters(/*recurse=*/false))
      products.insert(parameter.unsafeGetTensorImpl());
  }
  for (const auto& item : module.named_parameters()) {
    const bool shadowed = shadows && products.contains(item.value().unsafeGetTensorImpl());
    all.push_back({.name = prefix + item.key(), .tensor = item.value(), .shadowed = shadowed});
  }
}

}  // namespace ip2p
