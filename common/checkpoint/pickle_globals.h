// The whole list of names that a pickle may mention, and what each means here.
#pragma once

#include <span>
#include <string_view>

#include "common/checkpoint/tensor.h"

namespace ip2p {

struct PickleGlobal {
  enum class Role {
    kOrderedDict,       // an empty dictionary when called
    kRebuildTensor,     // (storage, offset, shape, stride, ...)
    kRebuildParameter,  // (tensor, ...)
    kStorage,           // names an element type in a persistent id
    kOpaque,            // makes something that is not looked at
  };
  std::string_view name;  // module.name
  Role role;
  DType dtype = DType::kFloat32;
};

std::span<const PickleGlobal> PickleGlobals();

}  // namespace ip2p
