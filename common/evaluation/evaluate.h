// Evaluates an edit model on a split of a dataset: every sample is edited at every guidance, CLIP and the
// target judge the edits, and each sample is written down when it is done, so that a rerun goes on.
//
// Free of torch: the engine and the scorer come from the caller. A sample's photo, pair and noise follow from
// the seed and its place alone, whatever ran before. An engine that denoises several edits together may move
// a value by a level (edit_engine.h); one at a time, equal evaluations are equal bytes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/evaluation/evaluation_options.h"
#include "common/evaluation/sample_record.h"
#include "common/pipeline/edit_engine.h"
#include "common/pipeline/edit_scorer.h"
#include "common/training/example_source.h"

namespace ip2p {

struct EvaluationProgress {
  int64_t samples = 0;   // that are done, those of earlier runs included
  int64_t wanted = 0;    // samples in all
  int64_t left_out = 0;  // of those that are done
  int64_t steps = 0;     // denoising steps of this run
  int64_t all_steps = 0;
};

class EvaluationListener {
 public:
  virtual ~EvaluationListener() = default;
  // Once at the start and after each step; an error gives the work up and is what Evaluate returns.
  virtual absl::Status OnProgress(const EvaluationProgress& progress) = 0;
  // A damaged pair, which counts nowhere.
  virtual void OnLeftOut(const SampleRecord& /*record*/) {}
};

// Where and with what.
struct EvaluationTask {
  EvaluationOptions options;
  const ExampleSource& examples;  // of the split, for instruct-pix2pix
  std::string folder;             // made when there is none
  RunSettings settings;           // SettingsOf(options) and what names dataset and models
  int together = 1;               // least number of edits in the engine at a time, while there are as many
};

// `images/` gets the pictures where options.save_images (FORMAT.md). Errors: those of EvaluationJournal;
// those of the engine and the scorer; UNAVAILABLE, RESOURCE_EXHAUSTED: the disk; DATA_LOSS: every sample is
// damaged.
absl::StatusOr<std::vector<SampleRecord>> Evaluate(const EvaluationTask& task, EditEngine& engine,
                                                   EditScorer& scorer, EvaluationListener& listener);

}  // namespace ip2p
