// A dataset as a folder that `datasets` loads as "imagefolder", and diffusers' train_instruct_pix2pix.py with
// it: train/metadata.jsonl with the columns input_image, edit_prompt and edited_image.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/statusor.h"

namespace ip2p {

struct ExportReport {
  int64_t pairs = 0;
  int64_t skipped = 0;  // without a readable instruction
};

// Publishes `output` whole, which must not be there: ALREADY_EXISTS. Errors: of DatasetReader and the disk.
// `progress` (folders done, of all) may be null.
absl::StatusOr<ExportReport> ExportDataset(const std::string& dataset, const std::string& output,
                                           const std::function<void(int64_t, int64_t)>& progress);

}  // namespace ip2p
