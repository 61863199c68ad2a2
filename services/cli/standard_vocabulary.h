// CLIP's standard vocabulary in the two files that a diffusers folder holds.
#pragma once

#include "absl/status/status.h"
#include "common/checkpoint/model_source.h"

namespace ip2p {

// Gives a model without tokenizer files (one-file checkpoints) the standard ones, so that it can be written
// as a folder. Errors: those of ReadStandardTokenTable; FAILED_PRECONDITION when the model's vocabulary has
// another size.
absl::Status FillVocabulary(ModelSource& source);

}  // namespace ip2p
