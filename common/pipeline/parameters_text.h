// The text that a picture carries about how it was made, in the shape that image browsers of this field read.
#pragma once

#include <string>

#include "common/pipeline/edit_types.h"

namespace ip2p {

// "INSTRUCTION\nNegative prompt: ...\nSteps: 100, Sampler: euler_a, Schedule type: default, CFG scale: 7.5,
// Image CFG scale: 1.5, Seed: 42, Mask: auto 0.5, Mask feather: 8, Size: 512x320, Model: name, Version: ip2p
// 0.1.0". The negative line only when there is a negative prompt, the mask ("given", or "auto" and its
// threshold) only of a masked edit, the model only when it has a name (a path is not one: the same weights in
// another layout give the same file).
std::string ParametersText(const EditParams& params, const EditOutput& output, const std::string& model);

}  // namespace ip2p
