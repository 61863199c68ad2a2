// What the coordinator knows of a job and of its checkpoints: plain values, copied freely. The store keeps
// all of it (record_json.h).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace ip2p::training_coordinator {

// The numbers are the wire's. Which moves are legal: job_moves.h.
enum class JobState {
  kQueued = 1,
  kStarting = 2,
  kRunning = 3,
  kRestarting = 4,
  kPaused = 5,
  kSucceeded = 6,
  kFailed = 7,
  kCancelled = 8,
};

// What an operator asked of a running job that its workers still have to do: save, stop, and then this.
enum class Wish { kNone = 0, kPause = 1, kCancel = 2 };

// How a rank ended by its own word. The numbers are the wire's.
enum class Outcome { kDone = 1, kStopped = 2, kRetryable = 3, kFatal = 4 };

struct ValidationFigures {
  int64_t step = 0;
  double loss = 0;
  std::optional<double> clip_direction;
  std::optional<double> clip_image;
  friend bool operator==(const ValidationFigures&, const ValidationFigures&) = default;
};

// Of a step.
struct StepFigures {
  int64_t step = 0;
  double loss = 0;
  double learning_rate = 0;
  double grad_norm = 0;
  absl::Duration step_duration;
  double data_wait_share = 0;
  int64_t samples = 0;
  std::optional<absl::Duration> remaining;
  std::optional<ValidationFigures> validation;
  friend bool operator==(const StepFigures&, const StepFigures&) = default;
};

// What of a spec the coordinator decides by; the rest is the workers' business.
struct JobPlan {
  std::string name;
  std::string objective;  // for metrics
  int world_size = 1;
  int threads = 1;  // of each worker
  bool gpu = false;
  int max_restarts = 10;
  int64_t max_steps = 0;
  int keep_checkpoints = 3;
  friend bool operator==(const JobPlan&, const JobPlan&) = default;
};

struct RankEnd {
  int rank = 0;
  Outcome outcome = Outcome::kDone;
  std::string message;
  friend bool operator==(const RankEnd&, const RankEnd&) = default;
};

struct Job {
  std::string id;
  int64_t number = 0;  // counts submissions: newest first is by this
  std::string request_id;
  std::string spec;         // JobSpec as bytes, defaults filled in
  std::string spec_digest;  // of what was asked for: tells a repeated request from another one
  JobPlan plan;
  std::string token_digest;  // SHA-256 of the workers' token; the token itself lies in the job's folder

  JobState state = JobState::kQueued;
  Wish wish = Wish::kNone;  // while kRunning
  std::string error;
  int restarts = 0;
  int fruitless_restarts = 0;                     // since the last checkpoint: the back-off grows with these
  int64_t queue_order = 0;                        // while kQueued: the smallest goes first
  absl::Time not_before = absl::InfinitePast();   // while kRestarting: end of the back-off
  absl::Time create_time = absl::InfinitePast();  // InfinitePast: not yet
  absl::Time start_time = absl::InfinitePast();
  absl::Time finish_time = absl::InfinitePast();
  std::optional<StepFigures> figures;

  // The newest launch. `launched` is written before its workers are started and taken back when they are
  // known to be gone: no second launch comes in between.
  int64_t epoch = 0;
  bool launched = false;
  std::vector<int> slots;              // of the ranks, in their order
  std::optional<int64_t> resume_step;  // that it goes on from
  std::optional<int64_t> from_step;    // that an operator chose for the next launch
  std::string store_host;              // rank 0's; empty until every rank has joined
  int store_port = 0;
  std::optional<int64_t> save_at;  // the step that a save was ordered for, the same for every rank
  std::vector<RankEnd> ends;       // ranks that said good-bye

  friend bool operator==(const Job&, const Job&) = default;
};

struct CheckpointRecord {
  std::string job_id;
  int64_t step = 0;
  absl::Time create_time = absl::InfinitePast();
  int64_t size_bytes = 0;
  double loss = 0;
  std::optional<ValidationFigures> validation;
  std::vector<std::string> promoted_to;
  friend bool operator==(const CheckpointRecord&, const CheckpointRecord&) = default;
};

}  // namespace ip2p::training_coordinator
