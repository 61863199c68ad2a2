// The words between a run and who watches it: what happened, what to do next. No torch, no protobuf.
#pragma once

#include <cstdint>
#include <optional>

#include "absl/status/status.h"

namespace ip2p {

struct StepResult {
  int64_t step = 0;  // finished, this one included
  double loss = 0;   // mean over the batch, all ranks
  double learning_rate = 0;
  double grad_norm = 0;  // before clipping
  bool skipped = false;  // loss or gradient was not finite: the weights are as before
};

struct StepReport {
  StepResult result;
  double seconds = 0;    // the whole step
  double data_wait = 0;  // seconds of it spent waiting for examples
  int64_t samples = 0;   // since step 0, all ranks
};

struct ValidationReport {
  int64_t step = 0;
  double loss = 0;
  std::optional<double> clip_direction;  // -1..1; absent without a CLIP, or where nothing is edited
  std::optional<double> clip_image;
};

struct CheckpointReport {
  int64_t step = 0;
  int64_t bytes = 0;
  double loss = 0;
  std::optional<ValidationReport> validation;  // the last one
};

// A try to store a checkpoint at the run's mirror.
struct MirrorReport {
  int64_t step = 0;
  int64_t bytes = 0;  // sent: with the export and metrics.jsonl; 0: it was there
  double seconds = 0;
  absl::Status status;  // not OK: the next checkpoint, and in the end the run, tries again
};

struct RunOrder {
  enum class Kind {
    kGoOn,
    kSave,         // a checkpoint after the step `at_step`
    kSaveAndStop,  // the same, then leave
    kStop,         // leave now, without a checkpoint
    kAbandon,      // another launch has taken over: leave and write nothing more
  };
  Kind kind = Kind::kGoOn;
  int64_t at_step = 0;  // or at once where it has passed
};

enum class RunOutcome { kDone, kStopped, kAbandoned };

// Called on the run's thread; must be quick.
class RunObserver {
 public:
  virtual ~RunObserver() = default;
  virtual void OnStart(int64_t /*step*/) {}  // finished steps it goes on from
  virtual void OnStep(const StepReport& /*report*/) {}
  virtual void OnCheckpoint(const CheckpointReport& /*report*/) {}  // published; rank 0 only
  virtual void OnMirrored(const MirrorReport& /*report*/) {}        // rank 0 only, of a run with a mirror
  virtual void OnValidation(const ValidationReport& /*report*/) {}  // rank 0 only
  virtual RunOrder NextOrder() { return {}; }  // asked after every step, and while examples are encoded
};

}  // namespace ip2p
