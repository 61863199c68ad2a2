// Which tensors a model of a given architecture has, by diffusers' names, with their shapes. The one manifest
// that loading, converting and deriving are checked against. Pure functions.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "common/checkpoint/clip_config.h"
#include "common/checkpoint/model_config.h"
#include "common/checkpoint/tensor.h"

namespace ip2p {

using ShapeMap = std::map<std::string, std::vector<int64_t>>;

ShapeMap UNetTensors(const UNetConfig& config);
ShapeMap VaeTensors(const VaeConfig& config);
ShapeMap TextEncoderTensors(const TextEncoderConfig& config);
ShapeMap ClipTensors(const ClipConfig& config);           // transformers' CLIPModel
ShapeMap SafetyCheckerTensors(const ClipConfig& config);  // diffusers' StableDiffusionSafetyChecker

constexpr int kUnsafeConcepts = 17;  // of a safety checker
constexpr int kSpecialConcepts = 3;

// FAILED_PRECONDITION naming the first 10 tensors of `actual` that are missing, unexpected, misshapen or not
// floating point. `part` stands in the message ("unet").
absl::Status CheckTensors(const std::string& part, const ShapeMap& expected, const TensorMap& actual);

}  // namespace ip2p
