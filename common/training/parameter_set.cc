// See parameter_set.h.
#include "common/training/parameter_set.h"

#include <cstring>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace ip2p {
namespace {

constexpr int64_t kAlign = 16;  // elements: parameters start at cache lines
constexpr size_t kNamedFaults = 10;

}  // namespace

ParameterSet::ParameterSet(const std::vector<std::pair<std::string, torch::Tensor>>& parameters) {
  const torch::NoGradGuard no_grad;
  int64_t end = 0;
  for (const auto& [name, tensor] : parameters) {
    TORCH_CHECK(tensor.scalar_type() == torch::kFloat32, name, " is ", tensor.scalar_type(),
                "; wants float32 to learn");
    items_.push_back({.name = name, .tensor = tensor, .offset = end});
    count_ += tensor.numel();
    end += (tensor.numel() + kAlign - 1) / kAlign * kAlign;
  }
  TORCH_CHECK(end > 0, "no parameter is to be learned");
  weights_ = torch::zeros({end}, items_.front().tensor.options().requires_grad(false));
  gradients_ = torch::zeros_like(weights_);
  for (NamedParameter& item : items_) {
    torch::Tensor view = ViewOf(weights_, item);
    view.copy_(item.tensor);
    item.tensor.set_data(view);
    item.tensor.set_requires_grad(true);
  }
}

torch::Tensor ParameterSet::ViewOf(const torch::Tensor& buffer, const NamedParameter& item) const {
  const auto sizes = item.tensor.sizes();
  std::vector<int64_t> strides(sizes.size(), 1);
  if (sizes.size() == 4) {
    strides = {sizes[1] * sizes[2] * sizes[3], 1, sizes[1] * sizes[3], sizes[1]};
  } else {
    for (size_t i = sizes.size(); i-- > 1;) strides[i - 1] = strides[i] * sizes[i];
  }
  return buffer.as_strided(sizes, strides, item.offset);
}

void ParameterSet::ZeroGradients() {
  gradients_.zero_();
  for (NamedParameter& item : items_) {
    if (!item.tensor.grad().defined()) item.tensor.mutable_grad() = ViewOf(gradients_, item);
  }
}

TensorMap ParameterSet::ToTensors(const torch::Tensor& buffer, const std::string& prefix) const {
  TensorMap result;
  for (const NamedParameter& item : items_)
    result.emplace(prefix + item.name, ToTensorView(ViewOf(buffer, item)));
  return result;
}

absl::Status ParameterSet::FromTensors(const TensorMap& tensors, torch::Tensor& buffer,
                                       const std::string& prefix) const {
  const torch::NoGradGuard no_grad;
  std::vector<std::string> faults;
  for (const NamedParameter& item : items_) {
    const auto found = tensors.find(prefix + item.name);
    if (found == tensors.end()) {
      faults.push_back(absl::StrCat(prefix, item.name, " is missing"));
    } else if (item.tensor.sizes() != c10::ArrayRef<int64_t>(found->second.shape) ||
               found->second.dtype != DType::kFloat32) {
      faults.push_back(absl::StrCat(found->first, " is ", DTypeName(found->second.dtype), " ",
                                    ShapeText(found->second.shape)));
    }
  }
  size_t known = 0;
  for (const auto& [name, view] : tensors) known += name.starts_with(prefix) ? 1 : 0;
  if (faults.empty() && known != items_.size())
    faults.push_back(absl::StrCat(known, " tensors; wants ", items_.size()));
  if (!faults.empty()) {
    if (faults.size() > kNamedFaults) faults.resize(kNamedFaults);
    return absl::FailedPreconditionError(
        absl::StrCat("the checkpoint does not fit this run: ", absl::StrJoin(faults, "; ")));
  }
  for (const NamedParameter& item : items_)
    ViewOf(buffer, item).copy_(FromTensorView(tensors.at(prefix + item.name)));
  return absl::OkStatus();
}

TensorView ToTensorView(const torch::Tensor& tensor) {
  const auto kept = std::make_shared<torch::Tensor>(tensor.detach().cpu().contiguous());
  TORCH_CHECK(kept->scalar_type() == torch::kFloat32 || kept->scalar_type() == torch::kInt64,
              "only float32 and int64 are kept");
  return {.dtype = kept->scalar_type() == torch::kInt64 ? DType::kInt64 : DType::kFloat32,
          .shape = kept->sizes().vec(),
          .data = {static_cast<const std::byte*>(kept->const_data_ptr()), kept->nbytes()},
          .owner = kept};
}

torch::Tensor FromTensorView(const TensorView& view) {
  TORCH_CHECK(view.dtype == DType::kFloat32 || view.dtype == DType::kInt64, "the tensor is ",
              DTypeName(view.dtype), "; wants F32 or I64");
  torch::Tensor result =
      torch::empty(view.shape, view.dtype == DType::kInt64 ? torch::kInt64 : torch::kFloat32);
  if (!view.data.empty()) std::memcpy(result.data_ptr(), view.data.data(), view.data.size());
  return result;
}

}  // namespace ip2p
