// CompVis (original Stable Diffusion) tensor names <-> diffusers', for any number of levels and layers. Pure
// functions.
//
// Names here are relative to their part: kUNetPrefix and so on stand before them in a one-file checkpoint.
#pragma once

#include <string>
#include <vector>

#include "common/checkpoint/model_config.h"
#include "common/checkpoint/name_table.h"

namespace ip2p {

inline constexpr char kUNetPrefix[] = "model.diffusion_model.";
inline constexpr char kVaePrefix[] = "first_stage_model.";
inline constexpr char kClipPrefix[] =
    "cond_stage_model.transformer.";  // SD 1.x: transformers' CLIP, its own names
inline constexpr char kOpenClipPrefix[] = "cond_stage_model.model.";  // SD 2.x: OpenCLIP
inline constexpr char kEmaPrefix[] = "model_ema.";

NameTable UNetNames(const UNetConfig& config);
NameTable VaeNames(const VaeConfig& config);
// OpenCLIP's text tower, without the joint query, key and value projection (see compvis_convert.cc).
NameTable OpenClipNames(int num_layers);

// Under model_ema the original training code drops the dots: "diffusion_model.out.0.weight" ->
// "model_ema.diffusion_modelout0weight". `name` is relative to kUNetPrefix.
std::string EmaName(const std::string& name);

// Tensors of a whole training checkpoint that no part of inference reads: schedules, counters, losses. `name`
// is the full name.
bool IsIgnorable(const std::string& name);

}  // namespace ip2p
