// Looks for nudity in pictures as diffusers' StableDiffusionSafetyChecker does. One thread at a time; torch
// stays behind this header.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/checkpoint/clip_source.h"
#include "common/image/image.h"

namespace ip2p {

class SafetyChecker {
 public:
  // Loads the weights, in float32 at any precision of the rest. `device`: "cpu" or "cuda:N". Errors: those of
  // LoadSafetyNetwork.
  static absl::StatusOr<std::unique_ptr<SafetyChecker>> Create(const SafetyCheckerSource& source,
                                                               const std::string& device);
  virtual ~SafetyChecker() = default;

  // Whether a concept is nearer to the picture than its threshold allows (Pillow's bicubic to the short side,
  // centre crop). A picture that the network makes NaN of counts as unsafe.
  virtual absl::StatusOr<bool> IsUnsafe(const Image& image) = 0;
};

}  // namespace ip2p
