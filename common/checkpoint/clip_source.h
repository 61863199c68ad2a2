// A CLIP or a safety checker on disk, opened as (architecture, tensors, tokenizer). Tensors are views of
// mapped files: opening reads headers only. Thread-compatible; the results are immutable.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "common/checkpoint/clip_config.h"
#include "common/checkpoint/tensor.h"

namespace ip2p {

struct ClipSource {
  ClipConfig config;
  TensorMap tensors;       // transformers' names: "vision_model.encoder.layers.0.self_attn.q_proj.weight"
  std::string vocab_json;  // both empty: the standard CLIP vocabulary
  std::string merges_txt;
  ClipPreprocessing preprocessing;  // of which scoring takes mean and spread; it resizes in its own way
  // As found, so that a copy keeps what transformers reads and we do not.
  std::string config_json;        // config.json
  std::string preprocessor_json;  // preprocessor_config.json; empty: none was there
};

// A folder in transformers' layout (CLIPModel): config.json, model.safetensors or pytorch_model.bin, the
// tokenizer's files, preprocessor_config.json (OpenAI's figures without one); or the s3:// URL of one, which
// is copied to the cache first. Errors: NOT_FOUND, INVALID_ARGUMENT (not a folder), DATA_LOSS (damaged),
// FAILED_PRECONDITION (an architecture that we do not know, or missing, unexpected, misshapen tensors: the
// first 10 are named).
absl::StatusOr<ClipSource> OpenClip(const std::string& path);

// The same without weights: the tensors are left empty.
absl::StatusOr<ClipSource> ReadClipConfigs(const std::string& path);

struct SafetyCheckerSource {
  ClipConfig config;  // of which `text` says nothing
  TensorMap tensors;  // "vision_model.encoder...", "concept_embeds", ...
  ClipPreprocessing preprocessing;
};

// The safety_checker folder of a diffusers pipeline. Its preprocessor_config.json lies in it, or in
// feature_extractor/ beside it as pipelines have it. Errors as above.
absl::StatusOr<SafetyCheckerSource> OpenSafetyChecker(const std::string& path);

}  // namespace ip2p
