// See parameter_set.h.
#include "common/training/parameter_set.h"

#include <cstring>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace ip2p {
namespace {

constexpr size_t kNamedFaults = 10;

struct KnownType {
  torch::ScalarType torch;
  DType file;
};
constexpr KnownType kTypes[] = {
    {torch::kFloat32, DType::kFloat32}, {torch::kUInt8, DType::kUInt8}, {torch::kInt64, DType::kInt64}};

DType FileTypeOf(torch::ScalarType type) {
  for (const KnownType& known : kTypes) {
    if (known.torch == type) return known.file;
  }
  TORCH_CHECK(false, "a tensor is ", type, "; wants float32, uint8 or int64 to be kept");
}

torch::ScalarType TorchTypeOf(DType type) {
  for (const KnownType& known : kTypes) {
    if (known.file == type) return known.torch;
  }
  TORCH_CHECK(false, "a tensor is ", DTypeName(type), "; wants F32, U8 or I64");
}

int64_t Aligned(int64_t count) {
  return (count + ParameterSet::kAlign - 1) / ParameterSet::kAlign * ParameterSet::kAlign;
}

}  // namespace

ParameterSet::ParameterSet(const std::vector<LearnedParameter>& parameters) {
  const torch::NoGradGuard no_grad;
  int64_t end = 0, float_end = 0, shadow_end = 0;
  for (const auto& [name, tensor, shadowed] : parameters) {
    TORCH_CHECK(tensor.scalar_type() == torch::kFloat32, name, " is ", tensor.scalar_type(),
                "; wants float32 to learn");
    int64_t& gradient_end = shadowed ? shadow_end : float_end;
    items_.push_back({.name = name,
                      .tensor = tensor,
                      .offset = end,
                      .shadowed = shadowed,
                      .gradient_offset = gradient_end});
    count_ += tensor.numel();
    end += Aligned(tensor.numel());
    gradient_end += Aligned(tensor.numel());
  }
  TORCH_CHECK(end > 0, "no parameter is to be learned");
  const torch::TensorOptions options = items_.front().tensor.options().requires_grad(false);
  weights_ = torch::zeros({end}, options);
  gradients_ = torch::zeros({float_end}, options);
  if (shadow_end > 0) {
    shadows_ = torch::zeros({shadow_end}, options.dtype(torch::kBFloat16));
    shadow_gradients_ = torch::zeros_like(shadows_);
  }
  for (NamedParameter& item : items_) {
    torch::Tensor view = ViewOf(weights_, item);
    view.copy_(item.tensor);
    if (item.shadowed) view = ViewOf(shadows_, item.gradient_offset, item.tensor.sizes());
    item.tensor.set_data(view);
    item.tensor.set_requires_grad(true);
  }
  MakeRanges();
  WriteShadows();
}

void ParameterSet::MakeRanges() {
  for (size_t i = 0, next = 0; i < items_.size(); i = next) {
    int64_t length = 0;
    for (next = i; next < items_.size() && items_[next].shadowed == items_[i].shadowed; ++next)
      length += Aligned(items_[next].tensor.numel());
    const int64_t at = items_[i].gradient_offset;
    ranges_.push_back({.begin = items_[i].offset,
                       .gradients = GradientsOf(items_[i]).narrow(0, at, length),
                       .shadow = items_[i].shadowed ? shadows_.narrow(0, at, length) : torch::Tensor()});
  }
}

void ParameterSet::WriteShadows() {
  const torch::NoGradGuard no_grad;
  for (Range& range : ranges_) {
    if (range.shadow.defined()) range.shadow.copy_(weights_.narrow(0, range.begin, range.shadow.numel()));
  }
}

torch::Tensor ParameterSet::AllGradients() const {
  torch::Tensor all = NewBuffer();
  for (const Range& range : ranges_)
    all.narrow(0, range.begin, range.gradients.numel()).copy_(range.gradients);
  return all;
}

std::vector<std::string> ParameterSet::names() const {
  std::vector<std::string> names;
  for (const NamedParameter& item : items_) names.push_back(item.name);
  return names;
}

torch::Tensor ParameterSet::ViewOf(const torch::Tensor& buffer, int64_t offset, at::IntArrayRef sizes) {
  std::vector<int64_t> strides(sizes.size(), 1);
  if (sizes.size() == 4) {
    strides = {sizes[1] * sizes[2] * sizes[3], 1, sizes[1] * sizes[3], sizes[1]};
  } else {
    for (size_t i = sizes.size(); i-- > 1;) strides[i - 1] = strides[i] * sizes[i];
  }
  return buffer.as_strided(sizes, strides, offset);
}

void ParameterSet::ZeroGradients() {
  gradients_.zero_();
  if (shadow_gradients_.defined()) shadow_gradients_.zero_();
  for (NamedParameter& item : items_) {
    if (!item.tensor.grad().defined())
      item.tensor.mutable_grad() = ViewOf(GradientsOf(item), item.gradient_offset, item.tensor.sizes());
  }
}

std::vector<ParameterSet::Named> ParameterSet::ViewsOf(const torch::Tensor& buffer) const {
  std::vector<Named> views;
  for (const NamedParameter& item : items_) views.push_back({item.name, ViewOf(buffer, item)});
  return views;
}

std::vector<ParameterSet::Named> ParameterSet::ScalesOf(const torch::Tensor& buffer) const {
  std::vector<Named> views;
  for (const NamedParameter& item : items_)
    views.push_back(
        {item.name, buffer.narrow(0, item.offset / kAlign, Aligned(item.tensor.numel()) / kAlign)});
  return views;
}

TensorMap ParameterSet::ToTensors(const torch::Tensor& buffer, const std::string& prefix) const {
  TensorMap result;
  for (const auto& [name, view] : ViewsOf(buffer)) result.emplace(prefix + name, ToTensorView(view));
  return result;
}

TensorMap ParameterSet::ScalesToTensors(const torch::Tensor& buffer, const std::string& prefix) const {
  TensorMap result;
  for (const auto& [name, view] : ScalesOf(buffer)) result.emplace(prefix + name, ToTensorView(view));
  return result;
}

absl::Status ParameterSet::FromTensors(const TensorMap& tensors, torch::Tensor& buffer,
                                       const std::string& prefix) const {
  return Fill(ViewsOf(buffer), tensors, prefix);
}

absl::Status ParameterSet::ScalesFromTensors(const TensorMap& tensors, torch::Tensor& buffer,
                                             const std::string& prefix) const {
  return Fill(ScalesOf(buffer), tensors, prefix);
}

absl::Status ParameterSet::Fill(const std::vector<Named>& views, const TensorMap& tensors,
                                const std::string& prefix) {
  const torch::NoGradGuard no_grad;
  std::vector<std::string> faults;
  for (const auto& [name, view] : views) {
    const auto found = tensors.find(prefix + name);
    if (found == tensors.end()) {
      faults.push_back(absl::StrCat(prefix, name, " is missing"));
    } else if (view.sizes() != c10::ArrayRef<int64_t>(found->second.shape) ||
               found->second.dtype != FileTypeOf(view.scalar_type())) {
      faults.push_back(absl::StrCat(found->first, " is ", DTypeName(found->second.dtype), " ",
                                    ShapeText(found->second.shape), "; wants ",
                                    DTypeName(FileTypeOf(view.scalar_type())), " ", ShapeText(view.sizes())));
    }
  }
  size_t known = 0;
  for (const auto& [name, view] : tensors) known += name.starts_with(prefix) ? 1 : 0;
  if (faults.empty() && known != views.size())
    faults.push_back(absl::StrCat(known, " tensors; wants ", views.size()));
  if (!faults.empty()) {
    if (faults.size() > kNamedFaults) faults.resize(kNamedFaults);
    return absl::FailedPreconditionError(
        absl::StrCat("the checkpoint does not fit this run: ", absl::StrJoin(faults, "; ")));
  }
  for (const auto& [name, view] : views) view.copy_(FromTensorView(tensors.at(prefix + name)));
  return absl::OkStatus();
}

TensorView ToTensorView(const torch::Tensor& tensor) {
  const auto kept = std::make_shared<torch::Tensor>(tensor.detach().cpu().contiguous());
  return {.dtype = FileTypeOf(kept->scalar_type()),
          .shape = kept->sizes().vec(),
          .data = {static_cast<const std::byte*>(kept->const_data_ptr()), kept->nbytes()},
          .owner = kept};
}

torch::Tensor FromTensorView(const TensorView& view) {
  torch::Tensor result = torch::empty(view.shape, TorchTypeOf(view.dtype));
  if (!view.data.empty()) std::memcpy(result.data_ptr(), view.data.data(), view.data.size());
  return result;
}

}  // namespace ip2p
