// A miniature model with seeded random weights, made in memory: the real architecture, a few thousand
// parameters.
#pragma once

#include <cstdint>

#include "common/checkpoint/clip_source.h"
#include "common/checkpoint/model_source.h"

namespace ip2p {

// Two UNet levels of 32 and 64 channels, VAE 8x down, a one-layer text tower over a byte-level vocabulary.
ModelConfig TinyConfig();

// Weights are normal with a small spread, norms are identity, so that pictures come out finite and not flat.
ModelSource RandomModel(const ModelConfig& config, uint64_t seed);

// CLIP for pictures of 32 px, and a safety checker with such a tower, with weights of the same kind.
ClipConfig TinyClipConfig();
ClipSource RandomClip(const ClipConfig& config, uint64_t seed);
SafetyCheckerSource RandomSafetyChecker(const ClipConfig& config, uint64_t seed);

}  // namespace ip2p
