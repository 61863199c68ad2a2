// The models of this process by name. Each can be exchanged while it serves: the new one is loaded in full
// and tried before it takes over, the old one lives until its last edit is done, and a failure changes
// nothing. Thread-safe; loading happens on the caller's thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/base/clock.h"
#include "common/base/worker_pool.h"
#include "common/pipeline/edit_engine.h"

namespace ip2p::edit_server {

struct ModelSpec {
  std::string name;
  std::string path;
  std::string vae_path;  // empty: the checkpoint's own
};

// A model that serves. Holding it keeps its engine alive.
struct LoadedModel {
  std::string name;
  std::shared_ptr<EditEngine> engine;
  int64_t revision = 0;  // loads under this name so far
  absl::Time loaded_at;
};

struct ModelState {
  LoadedModel model;
  bool reloading = false;
  absl::Status last_error;  // of the last reload
  absl::Time last_error_at;
};

class ModelHost {
 public:
  using Loader = std::function<absl::StatusOr<std::unique_ptr<EditEngine>>(const ModelSpec&)>;

  // `specs` has at least one; the first is the default. `models_dir` is where Reload finds other checkpoints;
  // empty: nowhere.
  ModelHost(std::vector<ModelSpec> specs, std::string models_dir, Loader loader,
            const Clock* clock = Clock::Real());
  // Waits until no LoadedModel is held any more, then destroys the engines.
  ~ModelHost();

  // Loads all models. The message names the model. Called once.
  absl::Status LoadAll();

  // Empty: the default. NOT_FOUND lists the names; UNAVAILABLE while LoadAll has not reached it yet.
  absl::StatusOr<LoadedModel> Get(absl::string_view name) const;
  absl::StatusOr<ModelState> GetState(absl::string_view name) const;
  std::vector<ModelState> List() const;  // those loaded, the default first
  // The name that a metric may carry: the model's, or "unknown".
  std::string Label(absl::string_view name) const;

  // Seconds to minutes, and memory for both models meanwhile. `checkpoint` is relative to models_dir; empty:
  // what was loaded last. Errors: NOT_FOUND, INVALID_ARGUMENT (leaves the folder), FAILED_PRECONDITION (no
  // folder; or the model fails its trial), ABORTED (a reload is going on), and those of the loader.
  absl::StatusOr<ModelState> Reload(absl::string_view name, const std::string& checkpoint);

 private:
  struct Slot {
    ModelSpec spec;
    LoadedModel model;  // engine is null until loaded
    bool reloading = false;
    absl::Status last_error;
    absl::Time last_error_at = absl::InfinitePast();
  };

  absl::StatusOr<size_t> Find(absl::string_view name) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<ModelSpec> SpecFor(const Slot& slot, const std::string& checkpoint) const;
  // An engine that is destroyed on the reaper's thread, whoever lets go of it last: an engine's own thread
  // must not.
  absl::StatusOr<std::shared_ptr<EditEngine>> Load(const ModelSpec& spec);
  static ModelState StateOf(const Slot& slot);

  const std::string models_dir_;
  const Loader loader_;
  const Clock* const clock_;

  mutable absl::Mutex mutex_;
  std::vector<Slot> slots_ ABSL_GUARDED_BY(mutex_);
  int engines_ ABSL_GUARDED_BY(mutex_) = 0;

  WorkerPool reaper_{1};
};

// Makes one small edit of one step. FAILED_PRECONDITION with the engine's message when that fails.
absl::Status TryModel(EditEngine& engine);

}  // namespace ip2p::edit_server
