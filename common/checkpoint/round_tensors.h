// The same weights in another float format: what `ip2p model convert --precision` writes. No torch. Pure.
#pragma once

#include "absl/status/statusor.h"
#include "common/checkpoint/tensor.h"

namespace ip2p {

// Every float tensor as `dtype` (kFloat32, kFloat16 or kBFloat16), rounded to the nearest, ties to even, as
// torch's Tensor.to does; others, and floats that are of that type already, stay views of what they were.
// FAILED_PRECONDITION names a tensor that holds a finite number too large for `dtype`.
absl::StatusOr<TensorMap> RoundTensors(const TensorMap& tensors, DType dtype);

}  // namespace ip2p
