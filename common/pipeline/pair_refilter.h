// New thresholds for a dataset that is there, from the scores of all its samples: pairs that no longer pass
// go, and those that pass now are made again from their seeds. The result is, byte for byte, the dataset that
// the new thresholds would have made, with its seeds.json when it has one.
//
// Folder by folder, each replaced whole. Ended on the way, it is started again with the same thresholds;
// until it is finished, run.json says "refiltering", and jobs on the dataset are refused. One thread;
// torch-free.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "common/dataset/partition_lock.h"
#include "common/pipeline/pair_job.h"

namespace ip2p {

struct RefilterOptions {
  std::string dataset;
  std::optional<double> clip_threshold;  // of these, absent: as run.json says
  std::optional<double> clip_dir_threshold;
  std::optional<double> clip_img_threshold;
  int max_out_samples = 0;  // 0: as run.json says
  LockOptions lock;
};

struct RefilterReport {
  int64_t prompts = 0;
  int64_t changed = 0;  // folders that were replaced
  int64_t kept = 0;     // pairs, of all prompts
  int64_t dropped = 0;  // pairs that went
  int64_t rebuilt = 0;  // pairs that were made again
};

class RefilterListener {
 public:
  virtual ~RefilterListener() = default;
  virtual void OnLoading() {}  // the models, since a pair is missing
  // After each folder, and each denoising step of one that is made again; an error ends the work with it.
  virtual absl::Status OnProgress(const RefilterReport& report, int64_t folders) = 0;
};

// Models are asked for when a pair is missing, and no CLIP is needed of them; but they must be those that
// made the dataset. Errors: NOT_FOUND (no dataset), INVALID_ARGUMENT (a threshold, run.json),
// FAILED_PRECONDITION (no scores: CLIP was not asked, or early stop left samples out that are wanted now;
// other models), DATA_LOSS (a folder is damaged), UNAVAILABLE (a job works on the dataset), those of the
// disk.
absl::Status RefilterDataset(const RefilterOptions& options, const SamplerFactory& factory,
                             RefilterListener& listener, RefilterReport& report);

}  // namespace ip2p
