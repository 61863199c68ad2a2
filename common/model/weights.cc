// See weights.h.
#include "common/model/weights.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/synchronization/mutex.h"
#include "common/base/status_macros.h"
#include "common/checkpoint/finite_check.h"
#include "common/model/kernels/round_rows.h"
#include "common/model/layers.h"
#include "common/model/process_memory.h"

namespace ip2p {
namespace {

constexpr int kNamedFaults = 10;
constexpr int64_t kChunk = 1 << 16;  // elements converted and checked while they are in the cache

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

void Convert(const torch::Tensor& from, torch::Tensor to) {
  if (from.scalar_type() == torch::kFloat32 && to.scalar_type() == torch::kBFloat16) {
    kernels::RoundRows(from.const_data_ptr<float>(), from.numel(),
                       static_cast<kernels::Bf16*>(to.data_ptr()));
  } else {
    to.copy_(from);
  }
}

// Converts `source` into `target`, where that is another tensor, and returns whether every value is finite
// in the end: a conversion keeps NaN and infinity, and makes one of what is out of range.
bool ConvertAndCheck(const torch::Tensor& source, const torch::Tensor& target) {
  for (int64_t at = 0; at < source.numel(); at += kChunk) {
    const int64_t count = std::min(kChunk, source.numel() - at);
    const torch::Tensor to = target.narrow(0, at, count);
    if (!source.is_same(target)) Convert(source.narrow(0, at, count), to);
    if (!AllFinite(to)) return false;
  }
  return true;
}

// What one thread fills in one go: a layer that is packed, whole, or else a module's own parameters.
struct Unit {
  Packable* layer = nullptr;                                      // to be packed
  std::vector<std::pair<std::string, torch::Tensor>> parameters;  // full name; shares the module's tensor
  int64_t size = 0;                                               // elements
};

void CollectUnits(torch::nn::Module& module, const std::string& prefix, bool pack, std::vector<Unit>& units) {
  Unit unit{.layer = pack ? dynamic_cast<Packable*>(&module) : nullptr};
  const bool whole = unit.layer != nullptr;
  for (const auto& item : module.named_parameters(/*recurse=*/whole)) {
    unit.parameters.emplace_back(prefix + item.key(), item.value());
    unit.size += item.value().numel();
  }
  if (!unit.parameters.empty()) units.push_back(std::move(unit));
  if (whole) return;
  for (const auto& child : module.named_children())
    CollectUnits(*child.value(), prefix + child.key() + ".", pack, units);
}

// Fills one unit. A layer that is packed is converted into `scratch`, which the calling thread keeps for its
// next one: fresh memory costs more than the conversion. Returns the name of a tensor that is not finite.
std::optional<std::string> FillUnit(Unit& unit, const TensorMap& tensors, const WeightOptions& options,
                                    const ReadOnlyFileMappings& mappings, torch::Tensor& scratch) {
  const torch::TensorOptions type(options.dtype);
  const auto shares = [&](const std::string& name) {
    return options.share_memory && options.device.is_cpu() &&
           ToTorch(tensors.at(name).dtype) == options.dtype;
  };
  if (options.packing == Packing::kUnlessShared &&
      std::all_of(unit.parameters.begin(), unit.parameters.end(),
                  [&](const auto& p) { return shares(p.first); }))
    unit.layer = nullptr;
  if (unit.layer != nullptr && (!scratch.defined() || scratch.numel() < unit.size))
    scratch = torch::empty({unit.size}, type);
  int64_t used = 0;
  for (auto& [name, parameter] : unit.parameters) {
    mappings.Populate(tensors.at(name).data);
    const torch::Tensor source = FlatView(tensors.at(name));
    torch::Tensor target;
    if (shares(name)) {
      target = source;
    } else if (unit.layer != nullptr) {
      target = scratch.narrow(0, used, source.numel());
      used += source.numel();
    } else {
      target = torch::empty(source.sizes(), type);
    }
    if (!ConvertAndCheck(source, target)) return name;
    parameter.set_data(target.view(parameter.sizes()).to(options.device));
  }
  if (unit.layer != nullptr) unit.layer->Pack();
  for (auto& [name, parameter] : unit.parameters) {
    if (used > 0 && parameter.is_alias_of(scratch)) parameter.set_data(parameter.clone());
    mappings.Release(tensors.at(name).data);
  }
  return std::nullopt;
}

}  // namespace

absl::Status AssignWeights(torch::nn::Module& module, const TensorMap& tensors, const std::string& part,
                           const WeightOptions& options) {
  IP2P_RETURN_IF_ERROR(Compare(module.named_parameters(), tensors, part));
  std::vector<Unit> units;
  CollectUnits(module, "", options.packing != Packing::kNever, units);
  // Large ones first: the threads end together, and each one's scratch is allocated once.
  std::stable_sort(units.begin(), units.end(), [](const Unit& a, const Unit& b) { return a.size > b.size; });
  const ReadOnlyFileMappings mappings;
  std::atomic<size_t> next = 0;
  absl::Mutex mutex;
  std::string faulty;  // under mutex until the threads have ended
  // Threads take units in turn: one barrier for all of them, not one a tensor.
  at::parallel_for(0, at::get_num_threads(), 1, [&](int64_t, int64_t) {
    const torch::NoGradGuard no_grad;  // of this thread
    torch::Tensor scratch;
    for (size_t i = next++; i < units.size(); i = next++) {
      std::optional<std::string> fault = FillUnit(units[i], tensors, options, mappings, scratch);
      if (!fault) continue;
      const absl::MutexLock lock(&mutex);
      faulty = *std::move(fault);
      next = units.size();
    }
  });
  if (faulty.empty()) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat(part, ".", faulty, " has weights that are not finite in ",
                                          torch::toString(options.dtype), "; wants finite numbers"));
}

void ReleaseSharedWeights(const torch::nn::Module& module) {
  const ReadOnlyFileMappings mappings;
  for (const torch::Tensor& parameter : module.parameters()) {
    if (parameter.is_cpu() && !parameter.is_mkldnn())
      mappings.Release({static_cast<const std::byte*>(parameter.const_data_ptr()), parameter.nbytes()});
  }
}

}  // namespace ip2p
