// Copies that a view cannot do without: strided tensors made contiguous, and data moved to an aligned
// address.
#pragma once

#include <span>

#include "common/checkpoint/tensor.h"

namespace ip2p {

// Is the data at an address that its element type may be read from?
bool IsAligned(const TensorView& view);

// The same contents in a buffer of their own.
TensorView Copy(const TensorView& view);

// Element [i, j, ...] of the result is element offset + i*stride[0] + j*stride[1] + ... of `storage`. The
// caller has checked that all of these lie inside.
TensorView CopyStrided(DType dtype, std::span<const int64_t> shape, std::span<const int64_t> stride,
                       int64_t offset, std::span<const std::byte> storage);

// Rows of all views under each other: the shapes agree except in their first side. At least one view.
TensorView Concatenate(std::span<const TensorView> views);

}  // namespace ip2p
