// The model that a run has made so far, as a folder that diffusers, transformers and this project open. No
// torch.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/checkpoint/model_source.h"
#include "common/checkpoint/tensor.h"
#include "common/training/train_start.h"

namespace ip2p {

// RUN/export/step-000001000.
std::string ExportPath(const std::string& run, int64_t step);

// `start` with these weights ("unet.conv_in.weight") in the place of its own. Not of a CLIP.
ModelSource ModelWith(const TrainStart& start, const TensorMap& weights);

// Lets the weights of `start` go that a run learns, by the names of what it learns: ModelWith and ExportModel
// have its own for them.
void ForgetLearned(TrainStart& start, const std::vector<std::string>& learned);

// A diffusers folder at `path`; of a CLIP, the files that transformers' CLIPModel, CLIPTokenizer and
// CLIPImageProcessor read. A folder that is there already, of a way that the run has given up, is replaced.
// Errors: FAILED_PRECONDITION (a start without a vocabulary), the file system's own.
absl::Status ExportModel(const TrainStart& start, const TensorMap& weights, const std::string& path);

// Removes the exports of a run whose checkpoints are gone.
void RemoveOldExports(const std::string& run);

}  // namespace ip2p
