// What a run goes on from, on disk (FORMAT.md): complete, checksummed, published by rename. No torch.
//
// One process writes a run's checkpoints at a time. A process that is killed at any moment leaves every
// published checkpoint as it was, and `LATEST` naming one of them.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/checkpoint/tensor.h"

namespace ip2p {

struct RunState {
  int64_t step = 0;     // finished
  int64_t updates = 0;  // of the weights: steps less those that were skipped
  int64_t skipped = 0;  // steps whose loss or gradient was not finite
  int not_finite_in_row = 0;
  uint64_t seed = 0;
  double loss = 0;            // of the last step
  std::string config_digest;  // TrainConfigDigest
  std::string objective;      // for people
  friend bool operator==(const RunState&, const RunState&) = default;
};

struct RunCheckpoint {
  RunState state;
  TensorMap weights;    // what learns: "unet.conv_in.weight"
  TensorMap ema;        // the same names; empty: none is kept
  TensorMap optimizer;  // "exp_avg.NAME", "exp_avg_sq.NAME"
};

struct CheckpointEntry {
  int64_t step = 0;
  std::string path;
  bool pinned = false;  // never deleted by KeepLast
};

// Names in a run's folder, and in its mirror (run_mirror.h).
inline constexpr char kCheckpointsFolder[] = "checkpoints";
inline constexpr char kStateFile[] = "state.json";
inline constexpr char kPinnedFile[] = "pinned";
inline constexpr char kLatestFile[] = "LATEST";
inline constexpr size_t kMaxStateBytes = 1 << 20;
inline constexpr char kValidationsFolder[] = "validation";
inline constexpr char kValidationFigures[] = "metrics.json";

// "step-000001000", and back: nothing for other names.
std::string CheckpointName(int64_t step);
std::optional<int64_t> CheckpointStep(const std::string& name);
// RUN/checkpoints/step-000001000.
std::string CheckpointPath(const std::string& run, int64_t step);
// RUN/validation/step-000001000.
std::string ValidationPath(const std::string& run, int64_t step);

// Publishes, then LATEST. A checkpoint of that step that is there is replaced (a run that went on from an
// earlier one). Returns the bytes written. Errors: RESOURCE_EXHAUSTED (disk full), UNAVAILABLE: what was
// there before is as it was.
absl::StatusOr<int64_t> SaveRunCheckpoint(const std::string& run, const RunCheckpoint& checkpoint);

// Every published checkpoint, newest first. An empty list when there is no run.
absl::StatusOr<std::vector<CheckpointEntry>> ListRunCheckpoints(const std::string& run);

// Every file against its SHA-256. With `step` that one: NOT_FOUND, DATA_LOSS. Without, the one that LATEST
// names, or else the newest before it that is whole; NOT_FOUND when there is none at all, DATA_LOSS when
// there are and none is whole. Tensors are views of mapped files.
absl::StatusOr<RunCheckpoint> LoadRunCheckpoint(const std::string& run, std::optional<int64_t> step = {});

// What state.json says of a checkpoint.
struct CheckpointState {
  struct File {
    std::string name;    // "weights.safetensors"
    std::string sha256;  // hexadecimal
  };
  RunState run;
  std::vector<File> files;
};
// Of the checkpoint of `step`. DATA_LOSS: it is damaged, or speaks of another step. FAILED_PRECONDITION: its
// format is one of another time.
absl::StatusOr<CheckpointState> ParseCheckpointState(const std::string& text, int64_t step);
// Each file in `folder` against its SHA-256. DATA_LOSS names the file.
absl::Status CheckCheckpointFiles(const std::string& folder, const CheckpointState& state);

// Makes `step` the one to go on from.
absl::Status SetLatest(const std::string& run, int64_t step);
// Of checkpoints, newest first: those that neither are among the newest `keep`, nor pinned, nor `latest`; all
// that are newer than it are of a way that was given up.
std::vector<int64_t> StepsToRemove(std::span<const CheckpointEntry> entries, std::optional<int64_t> latest,
                                   int keep);
// Deletes these, by the file LATEST, but for those `in_use`.
absl::Status KeepLast(const std::string& run, int keep, const std::set<int64_t>& in_use = {});
// Removes what killed processes left in the run's folders; a checkpoint whose replacing was cut short comes
// back. Only while nobody writes.
void RemoveLeftovers(const std::string& run);

}  // namespace ip2p
