// The words of an edit: what callers ask for and what they hear back. No torch, no protobuf.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/diffusion/kinds.h"
#include "common/image/image.h"
#include "common/image/mask.h"

namespace ip2p {

// In place of a resolution: the model's own, ModelConfig::native_resolution(). An engine puts it in.
inline constexpr int kNativeResolution = std::numeric_limits<int>::min();

// Field names equal the flags' and the proto's. Limits are checked by ValidateEdit.
struct EditParams {
  std::string instruction;  // at most 4 KiB of UTF-8; empty returns the input
  std::string negative;     // negative prompt; empty is the reference's empty text
  int steps = 100;          // 1..1000
  // Longest side in px, a multiple of 64 in 64..2048; 0 keeps the photo's own size.
  int resolution = kNativeResolution;
  double cfg_text = 7.5;   // text guidance scale, 0..100
  double cfg_image = 1.5;  // image guidance scale, 0..100
  uint32_t seed = 0;       // output i of a request uses seed + i (modulo 2^32)
  SamplerKind sampler = SamplerKind::kEulerA;
  SigmaSchedule schedule = SigmaSchedule::kDefault;
  int count = 1;          // outputs, 1..8
  int preview_every = 0;  // steps between previews; 0: none
  // Keep the rest of the photo as it is (masked_edit.h): outside of a mask of the photo's size, or, where the
  // difference that the instruction makes is at least auto_mask (0..1) of what it makes at most. Not both.
  std::shared_ptr<const Mask> mask;
  std::optional<double> auto_mask;
  int mask_feather = 8;  // px over which the edit fades in, inwards from the mask's edge; 0..64
};

// Whether an edit is masked: then its result has the photo's own size, and its bytes outside of the mask.
inline bool KeepsTheRest(const EditParams& params) {
  return params.mask != nullptr || params.auto_mask.has_value();
}

struct EditProgress {
  int output = 0;  // which of `count`
  int step = 0;    // finished steps, 1..steps
  int steps = 0;
  std::optional<Image> preview;  // latent-sized RGB sketch
};

struct EditOutput {
  Image image;
  uint32_t seed = 0;
  // auto_mask only. From the engine: the instruction's relevance in each latent cell, 0..255. After
  // KeepTheRest: the mask that was used, of the photo's size.
  Mask mask;
};

struct EditResult {
  std::vector<EditOutput> outputs;
  bool instruction_truncated = false;  // over 77 tokens: cut as CLIP does
  bool negative_truncated = false;
  EditParams params;  // as used
};

}  // namespace ip2p
