// One rank of a training run, from its settings to its exported model: the wall in front of torch.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/training/rendezvous.h"
#include "common/training/run_types.h"
#include "common/training/train_config.h"

namespace ip2p {

struct TrainingRunOptions {
  TrainConfig config;
  std::string base_checkpoint;  // exactly one of the two: a checkpoint,
  std::string fresh_config;     // or a folder of configs
  std::string dataset;
  std::string run;  // its folder; made when there is none
  std::string
      mirror;        // s3:// URL of its own where rank 0 keeps a copy of the run (run_mirror.h); empty: none
  std::string clip;  // scores validation edits; empty: none are scored
  std::string device = "cpu";
  int threads = 0;  // intra-op; 0: torch's default
  int loader_threads = 2;

  // Where to go on. Without `resume_step`: from LATEST when `resume_latest`, or from the mirror where that is
  // farther; else from the start. What the folder lacks is taken from the mirror, by every rank.
  std::optional<int64_t> resume_step;
  bool resume_latest = true;

  int rank = 0;
  int world_size = 1;
  RendezvousAddress address;               // of more than one rank
  std::shared_ptr<Rendezvous> rendezvous;  // rank 0's, of more than one rank
  absl::Duration join_timeout = absl::Minutes(10);
  absl::Duration peer_timeout = absl::Minutes(30);  // rank_group.h
};

// Runs on the calling thread until the last step, an order to stop, or a failure. At the end rank 0 has
// published a checkpoint and the exported model, and stored both at the mirror. Failures: INVALID_ARGUMENT,
// NOT_FOUND, FAILED_PRECONDITION, DATA_LOSS: another try would end alike (bad settings, start or dataset;
// losses that are not finite). UNAVAILABLE, RESOURCE_EXHAUSTED, INTERNAL: another try may go on from the last
// checkpoint (a lost peer, a full disk, no memory, a mirror that is away at the end).
absl::StatusOr<RunOutcome> RunTraining(const TrainingRunOptions& options, RunObserver& observer);

}  // namespace ip2p
