// Validation on a fixed set: the loss with fixed noise, and edits with CLIP's judgement of them. One thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/training/example.h"
#include "common/training/run_types.h"
#include "common/training/train_start.h"
#include "common/training/trainer.h"

namespace ip2p {

class Validation {
 public:
  struct Options {
    std::string run;
    std::string clip;    // folder; empty: edits are not scored
    std::string device;  // of the edit engine
    int threads = 0;
    int edit_steps = 20;
  };

  // The first config.validation_samples whole examples of the validation split; of the training split where a
  // small dataset leaves none. Errors: those of OpenExamples; FAILED_PRECONDITION when all are damaged.
  static absl::StatusOr<Validation> Create(const std::string& dataset, const TrainConfig& config,
                                           const TrainStart& start, Objective& objective,
                                           const Options& options);

  // With the averaged weights where they are kept. For instruct-pix2pix the edits are written to
  // RUN/validation/step-N.
  absl::StatusOr<ValidationReport> Run(Trainer& trainer);

 private:
  Validation(const TrainConfig& config, const TrainStart& start, const Options& options)
      : config_(config), start_(&start), options_(options) {}
  absl::Status Edit(Trainer& trainer, ValidationReport& report);

  TrainConfig config_;
  const TrainStart* start_;
  Options options_;
  std::vector<Example> examples_;
  std::vector<TrainBatch> batches_;  // one an example, prepared
};

}  // namespace ip2p
