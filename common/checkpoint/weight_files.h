// The weights of one component of a diffusers folder, under whichever of the usual file names they lie.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "common/checkpoint/tensor.h"

namespace ip2p {

// Looks in `folder`/`part` for STEM.safetensors, its sharded index, the fp16 variant of either, and the torch
// file BIN_STEM.bin read by the restricted reader, in this order. Errors: NOT_FOUND when there is none of
// these, otherwise those of the file's reader.
absl::StatusOr<TensorMap> ReadWeights(const std::string& folder, const std::string& part,
                                      const std::string& stem, const std::string& bin_stem);

}  // namespace ip2p
