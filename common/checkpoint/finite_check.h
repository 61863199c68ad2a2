// Are all weights numbers? Reads every byte of the model: about a second for four gigabytes on two cores.
#pragma once

#include <cstddef>
#include <span>

#include "absl/status/status.h"
#include "common/checkpoint/model_source.h"

namespace ip2p {

// No NaN and no infinity among these values; whole numbers always pass.
bool AllFinite(DType dtype, std::span<const std::byte> data);

// DATA_LOSS naming the first 10 tensors that hold a NaN or an infinity. For whoever loads a model for
// service: a training run that diverged must not displace a working model.
absl::Status CheckFinite(const ModelSource& source);

}  // namespace ip2p
