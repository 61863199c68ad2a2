// Threads that read, decode and crop ahead of training. What comes, and in which order, follows from the seed
// and the step alone: not from the threads, nor from the number of ranks or an interruption.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/training/augment.h"
#include "common/training/example_source.h"

namespace ip2p {

// Which share of a step's batch a rank takes. A step has `accumulation` parts; in each, ranks stand side by
// side.
struct BatchShare {
  int batch_size = 1;
  int accumulation = 1;
  int rank = 0;
  int world_size = 1;

  int rows() const { return batch_size / (accumulation * world_size); }  // of this rank in a part
  // Place in the whole batch of this rank's row `row` in part `part`.
  int64_t PlaceOf(int part, int row) const { return (int64_t{part} * world_size + rank) * rows() + row; }
};

// The example at `position` of an endless run over `size` examples: each epoch in an order of its own. Groups
// of `group` examples that follow one another stay together, in the order that they have; what is over after
// the last whole group ends the epoch.
struct ExamplePlace {
  int64_t epoch = 0;
  int64_t index = 0;
};
ExamplePlace PlaceAt(int64_t size, int group, uint64_t seed, int64_t position);

class ExampleLoader {
 public:
  struct Options {
    BatchShare share;
    AugmentConfig augment;
    uint64_t seed = 0;
    int group = 1;  // examples that stay together
    int64_t first_step = 0;
    int threads = 2;
    int ahead = 64;  // examples loaded before they are asked for, at most
    // Where a cache holds what networks make of the pictures: examples come without them, only told which;
    // this says whether (index, choice) is in the cache, and not damaged.
    std::function<bool(int64_t index, int64_t choice)> cached;
  };

  // `source` outlives the loader.
  ExampleLoader(const ExampleSource& source, const Options& options);
  ~ExampleLoader();
  ExampleLoader(const ExampleLoader&) = delete;
  ExampleLoader& operator=(const ExampleLoader&) = delete;

  // The rows of the next part, from first_step on. A damaged example is replaced by another one, the same on
  // every run, and counted. FAILED_PRECONDITION once over 0.1 % of all examples turned out damaged, naming
  // the first fault; UNAVAILABLE when the disk fails. One thread calls.
  absl::StatusOr<std::vector<Example>> Next();

  int64_t damaged() const;
  absl::Duration waited() const { return waited_; }  // of all Next so far

 private:
  void Run();
  absl::StatusOr<Example> Load(int64_t ticket);
  absl::StatusOr<Example> LoadPlace(const ExamplePlace& place);
  absl::Status CountDamaged(int64_t index, const absl::Status& fault);
  int64_t PositionOf(int64_t ticket) const;

  const ExampleSource& source_;
  const Options options_;
  absl::Duration waited_;  // of Next's thread

  mutable absl::Mutex mutex_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  int64_t next_ticket_ ABSL_GUARDED_BY(mutex_) = 0;  // to be loaded
  int64_t taken_ ABSL_GUARDED_BY(mutex_) = 0;        // by Next
  std::map<int64_t, absl::StatusOr<Example>> ready_ ABSL_GUARDED_BY(mutex_);
  std::set<int64_t> damaged_ ABSL_GUARDED_BY(mutex_);  // indices
  std::string first_fault_ ABSL_GUARDED_BY(mutex_);

  std::vector<std::thread> threads_;
};

}  // namespace ip2p
