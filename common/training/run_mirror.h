// The copy of a run at an object store (FORMAT.md), so that the run goes on wherever it is started again. No
// torch.
//
// A checkpoint is sent on a thread of the mirror's own: no step waits for it. One is on its way and one, the
// newest, waits; an older one that was waiting is not sent. state.json goes last, so that what a reader finds
// with one is whole, and is compared with its SHA-256 nevertheless. One run writes to a mirror at a time: the
// coordinator sees to that, and nobody else does.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "common/object_store/object_store.h"
#include "common/training/run_checkpoint.h"
#include "common/training/run_types.h"

namespace ip2p {

struct RunMirrorOptions {
  std::string run;            // its folder here
  ObjectUrl url;              // its own: checkpoints/ and export/ below it are cleared up
  std::string config_digest;  // TrainConfigDigest
  int keep = 3;               // as KeepLast
};

class RunMirror {
 public:
  // Over a store of its own, as the environment names it. INVALID_ARGUMENT: a variable is wrong.
  static absl::StatusOr<std::unique_ptr<RunMirror>> Open(RunMirrorOptions options);
  RunMirror(std::unique_ptr<ObjectStore> store, RunMirrorOptions options);
  ~RunMirror();  // gives up what is on its way
  RunMirror(const RunMirror&) = delete;
  RunMirror& operator=(const RunMirror&) = delete;

  // Before anything is written. Gives the step that Restore takes first; nothing: none is there.
  // FAILED_PRECONDITION: what is there is of a run with other settings. Errors of the store.
  absl::StatusOr<std::optional<int64_t>> Check();

  // Copies the checkpoint of `step` into the run's folder, where a damaged one is replaced; gives its step.
  // Without a step the one that LATEST names, or else the newest before it that is whole. NOT_FOUND: there is
  // none; DATA_LOSS: none is whole; FAILED_PRECONDITION as Check. Errors of the store and of the disk.
  absl::StatusOr<int64_t> Restore(std::optional<int64_t> step);
  // The same for metrics.jsonl, where none is here, and for the validations that are not here. What is not
  // there is no error.
  absl::Status RestoreRecords();

  // A checkpoint of the run's folder is to be stored, with its export, metrics.jsonl and validations. At
  // once. Not `anew`: one that is there already by its state.json is left as it is.
  void Offer(int64_t step, bool anew = true);
  // Those that must stay on disk.
  std::set<int64_t> in_use() const;
  // What became of those that were offered, since it was last asked.
  std::vector<MirrorReport> TakeReports();
  // Waits until the one that was offered last is stored; one that failed is tried once more. `wait` is called
  // every 100 ms, and CANCELLED returned as soon as it gives false. Else the status of the last try.
  absl::Status Finish(const std::function<bool()>& wait);

 private:
  // The checkpoints that are there.
  struct Shelf {
    std::vector<CheckpointEntry> whole;  // newest first
    std::set<int64_t> half;              // without a state.json
    std::optional<int64_t> latest;
  };
  struct Offered {
    int64_t step = 0;
    bool anew = true;
  };
  struct StateText {
    std::string text;
    CheckpointState state;
  };

  ObjectUrl CheckpointUrl(int64_t step) const;
  absl::StatusOr<Shelf> Look();
  static bool IsCandidate(const Shelf& shelf, int64_t step);
  absl::StatusOr<StateText> StateAt(int64_t step);
  absl::Status CheckDigest(const CheckpointState& state) const;
  absl::Status RestoreOne(const CheckpointEntry& entry);

  // The thread's.
  void Work();
  absl::Status Store(const Offered& offered, int64_t& bytes);
  absl::Status Send(int64_t step, std::string state, int64_t& bytes);
  absl::Status SendMetrics(int64_t& bytes);
  absl::Status SendValidations(int64_t& bytes);
  // Those that are whole there, by their steps: the objects of each.
  absl::StatusOr<std::map<int64_t, std::vector<ListedObject>>> ValidationsThere();
  absl::Status ClearAway(int64_t latest);
  absl::Status DeleteBelow(const ObjectUrl& url);

  bool HasWork() const ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return stopping_ || waiting_.has_value(); }
  bool IsIdle() const ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return !waiting_ && !on_its_way_; }

  const std::unique_ptr<ObjectStore> store_;
  const RunMirrorOptions options_;
  bool checked_ = false;  // the thread's

  mutable absl::Mutex mutex_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<Offered> waiting_ ABSL_GUARDED_BY(mutex_);
  std::optional<Offered> on_its_way_ ABSL_GUARDED_BY(mutex_);
  std::optional<Offered> offered_ ABSL_GUARDED_BY(mutex_);  // last
  absl::Status outcome_ ABSL_GUARDED_BY(mutex_);            // of the last one that was sent
  std::vector<MirrorReport> reports_ ABSL_GUARDED_BY(mutex_);

  std::thread thread_;
};

}  // namespace ip2p
