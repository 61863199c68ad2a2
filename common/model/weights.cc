// See weights.h.
#include "common/model/weights.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/status_macros.h"
#include "common/checkpoint/finite_check.h"
#include "common/model/process_memory.h"

namespace ip2p {
namespace {

constexpr int kNamedFaults = 10;
constexpr int64_t kChunk = 1 << 16;  // elements checked and converted while they are in the cache

// Buffers that some writers keep beside the weights; they hold nothing that is not implied by the
// architecture.
bool IsHarmlessBuffer(std::string_view name) { return name == "text_model.embeddings.position_ids"; }

bool IsFloating(DType dtype) {
  return dtype == DType::kFloat64 || dtype == DType::kFloat32 || dtype == DType::kFloat16 ||
         dtype == DType::kBFloat16;
}

torch::ScalarType ToTorch(DType dtype) {
  switch (dtype) {
    case DType::kFloat64:
      return torch::kFloat64;
    case DType::kFloat16:
      return torch::kFloat16;
    case DType::kBFloat16:
      return torch::kBFloat16;
    default:
      return torch::kFloat32;
  }
}

std::string ShapeText(c10::ArrayRef<int64_t> shape) {
  return absl::StrCat("[", absl::StrJoin(shape, ","), "]");
}

DType FromTorch(torch::ScalarType type) {
  switch (type) {
    case torch::kFloat64:
      return DType::kFloat64;
    case torch::kFloat16:
      return DType::kFloat16;
    case torch::kBFloat16:
      return DType::kBFloat16;
    default:
      return DType::kFloat32;
  }
}

bool AllFinite(const torch::Tensor& flat) {
  return AllFinite(FromTorch(flat.scalar_type()),
                   {static_cast<const std::byte*>(flat.const_data_ptr()), flat.nbytes()});
}

// A flat view of the file's bytes. Torch wants aligned elements; a file need not align them.
torch::Tensor FlatView(const TensorView& view) {
  const auto type = ToTorch(view.dtype);
  const auto count = static_cast<int64_t>(view.data.size() / DTypeSize(view.dtype));
  auto* bytes =
      const_cast<std::byte*>(view.data.data());  // torch has no read-only tensors; nobody writes this one
  auto owner = view.owner;
  const bool aligned = reinterpret_cast<uintptr_t>(bytes) % DTypeSize(view.dtype) == 0;
  if (aligned)
    return torch::from_blob(
        bytes, {count}, [owner](void*) {}, torch::TensorOptions(type));
  torch::Tensor copy = torch::empty({count}, torch::TensorOptions(type));
  std::memcpy(copy.data_ptr(), bytes, view.data.size());
  return copy;
}

// Names of the first faults between what the module wants and what the file has.
absl::Status Compare(const torch::OrderedDict<std::string, torch::Tensor>& wanted, const TensorMap& found,
                     const std::string& part) {
  std::vector<std::string> faults;
  for (const auto& item : wanted) {
    const auto tensor = found.find(item.key());
    const std::string wants = ShapeText(item.value().sizes());
    if (tensor == found.end()) {
      faults.push_back(absl::StrCat(part, ".", item.key(), " is missing; wants ", wants));
    } else if (item.value().sizes() != c10::ArrayRef<int64_t>(tensor->second.shape)) {
      faults.push_back(
          absl::StrCat(part, ".", item.key(), " is ", ShapeText(tensor->second.shape), "; wants ", wants));
    } else if (!IsFloating(tensor->second.dtype)) {
      faults.push_back(absl::StrCat(part, ".", item.key(), " is ", DTypeName(tensor->second.dtype),
                                    "; wants a floating type"));
    }
  }
  for (const auto& [name, tensor] : found) {
    if (wanted.contains(name) || IsHarmlessBuffer(name)) continue;
    faults.push_back(absl::StrCat(part, ".", name, " is unexpected, ", ShapeText(tensor.shape)));
  }
  if (faults.empty()) return absl::OkStatus();
  std::string more;
  if (faults.size() > kNamedFaults) {
    more = absl::StrCat("; and ", faults.size() - kNamedFaults, " more");
    faults.resize(kNamedFaults);
  }
  return absl::FailedPreconditionError(absl::StrCat(absl::StrJoin(faults, "; "), more));
}

// Checks all of `source` and, when `target` is another tensor, converts into it. Returns whether every value
// is finite.
bool CheckAndConvert(const torch::Tensor& source, const torch::Tensor& target) {
  const bool same = source.is_same(target);
  const bool may_overflow = !same && target.scalar_type() == torch::kFloat16;
  for (int64_t at = 0; at < source.numel(); at += kChunk) {
    const int64_t count = std::min(kChunk, source.numel() - at);
    const torch::Tensor from = source.narrow(0, at, count);
    if (!AllFinite(from)) return false;
    if (same) continue;
    torch::Tensor to = target.narrow(0, at, count);
    to.copy_(from);
    if (may_overflow && !AllFinite(to)) return false;
  }
  return true;
}

}  // namespace

absl::Status AssignWeights(torch::nn::Module& module, const TensorMap& tensors, const std::string& part,
                           const WeightOptions& options) {
  auto parameters = module.named_parameters();
  IP2P_RETURN_IF_ERROR(Compare(parameters, tensors, part));
  const ReadOnlyFileMappings mappings;
  const size_t count = parameters.size();
  std::vector<torch::Tensor> targets(count);
  std::atomic<size_t> next = 0, faulty = count;
  // Threads take whole tensors in turn: one barrier for all of them, not one a tensor.
  at::parallel_for(0, at::get_num_threads(), 1, [&](int64_t, int64_t) {
    const torch::NoGradGuard no_grad;  // of this thread
    for (size_t i = next++; i < count && faulty == count; i = next++) {
      const TensorView& view = tensors.at(parameters[i].key());
      const torch::Tensor source = FlatView(view);
      const bool share =
          options.share_memory && options.device.is_cpu() && source.scalar_type() == options.dtype;
      targets[i] = share ? source : torch::empty(source.sizes(), torch::TensorOptions(options.dtype));
      if (!CheckAndConvert(source, targets[i])) faulty = i;
      if (!share) mappings.Release(view.data);
    }
  });
  if (faulty < count) {
    return absl::DataLossError(absl::StrCat(part, ".", parameters[faulty].key(),
                                            " has weights that are not finite in ",
                                            torch::toString(options.dtype), "; wants finite numbers"));
  }
  const torch::NoGradGuard no_grad;
  for (size_t i = 0; i < count; ++i) {
    torch::Tensor& parameter = parameters[i].value();
    parameter.set_data(targets[i].view(parameter.sizes()).to(options.device));
    targets[i].reset();
  }
  return absl::OkStatus();
}

}  // namespace ip2p
