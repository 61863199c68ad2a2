// What a one-file CompVis checkpoint is, from the names and shapes of its tensors alone: such files carry no
// config.
//
// The rules are those of the two published families and stand in derive_architecture.cc, each with its
// reason. What they do not cover is refused; what they derive is checked afterwards against every name and
// shape (CheckTensors), so a wrong guess cannot load. Pure functions.
#pragma once

#include "absl/status/statusor.h"
#include "common/checkpoint/model_config.h"
#include "common/checkpoint/tensor.h"

namespace ip2p {

// Names are relative to their part. FAILED_PRECONDITION says which tensor is missing or makes no sense.
absl::StatusOr<UNetConfig> DeriveUNet(const TensorMap& unet);
absl::StatusOr<VaeConfig> DeriveVae(const TensorMap& vae);
absl::StatusOr<TextEncoderConfig> DeriveClip(const TensorMap& text);
absl::StatusOr<TextEncoderConfig> DeriveOpenClip(const TensorMap& text);

}  // namespace ip2p
