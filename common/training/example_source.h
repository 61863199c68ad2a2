// Where examples come from: a dataset folder, a pack of it, or a folder of captioned pictures, as views with
// size() and Get(i). Get may be called on any thread. No torch.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "common/training/train_config.h"

namespace ip2p {

// Encoded pictures and a text.
struct RawExample {
  std::string before;  // empty where examples are single pictures
  std::string after;
  std::string text;  // the instruction, or the caption of `after`
  std::string caption,
      output;  // of a pair with an instruction: captions of both pictures, empty where unknown
};

class ExampleSource {
 public:
  virtual ~ExampleSource() = default;
  virtual int64_t size() const = 0;
  // How many there are to choose from under `i`.
  virtual int64_t choices(int64_t /*i*/) const { return 1; }
  // Example i of 0..size()-1; `choice` picks where an example is one of several (a prompt's pairs). Errors:
  // NOT_FOUND, INVALID_ARGUMENT, DATA_LOSS, RESOURCE_EXHAUSTED: this example is damaged. UNAVAILABLE: the
  // disk failed.
  virtual absl::StatusOr<RawExample> Get(int64_t i, uint64_t choice) const = 0;
};

// The reference's shares of seeds.json in its order (of metadata.jsonl in its own): 0.9, 0.05, 0.05.
enum class Split { kTrain, kValidation, kTest };

// Rows begin..end-1 of `size` that belong to the split: floor(share * size), as edit_dataset.py counts.
struct SplitRange {
  int64_t begin = 0;
  int64_t end = 0;
};
SplitRange RangeOf(Split split, int64_t size);

// `path` holds seeds.json (a dataset: examples are prompts, each of which stands for one of its pairs),
// index.json (a pack of one) or metadata.jsonl (pictures with captions: file_name and caption or text).
// It may be an s3:// URL, whose objects are copied to the cache first (common/dataset/dataset_copy.h).
// Objectives over single pictures see both pictures of a pair, each with its caption. NOT_FOUND: no such
// folder. FAILED_PRECONDITION: nothing of these in it, no example in the split, or a kind of folder that the
// objective cannot learn from.
absl::StatusOr<std::unique_ptr<const ExampleSource>> OpenExamples(const std::string& path,
                                                                  TrainObjective objective, Split split);

}  // namespace ip2p
