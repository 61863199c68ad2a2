// See example_source.h.
#include "common/training/example_source.h"

#include <cmath>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/dataset/dataset_copy.h"
#include "common/training/pair_sources.h"
#include "common/training/picture_folder.h"

namespace ip2p {
namespace {

namespace fs = std::filesystem;

// A pair and its instruction.
class EditExamples final : public ExampleSource {
 public:
  explicit EditExamples(std::unique_ptr<const PairSource> pairs) : pairs_(std::move(pairs)) {}
  int64_t size() const override { return pairs_->size(); }
  int64_t choices(int64_t i) const override { return pairs_->choices(i); }
  absl::StatusOr<RawExample> Get(int64_t i, uint64_t choice) const override {
    IP2P_ASSIGN_OR_RETURN(RawPair pair, pairs_->Get(i, choice));
    return RawExample{.before = std::move(pair.before),
                      .after = std::move(pair.after),
                      .text = std::move(pair.edit),
                      .caption = std::move(pair.caption),
                      .output = std::move(pair.output)};
  }

 private:
  const std::unique_ptr<const PairSource> pairs_;
};

// The two pictures of a pair, each with its own caption.
class PictureExamples final : public ExampleSource {
 public:
  explicit PictureExamples(std::unique_ptr<const PairSource> pairs) : pairs_(std::move(pairs)) {}
  int64_t size() const override { return 2 * pairs_->size(); }
  int64_t choices(int64_t i) const override { return pairs_->choices(i / 2); }
  absl::StatusOr<RawExample> Get(int64_t i, uint64_t choice) const override {
    IP2P_ASSIGN_OR_RETURN(RawPair pair, pairs_->Get(i / 2, choice));
    if (i % 2 == 0) return RawExample{.after = std::move(pair.before), .text = std::move(pair.caption)};
    return RawExample{.after = std::move(pair.after), .text = std::move(pair.output)};
  }

 private:
  const std::unique_ptr<const PairSource> pairs_;
};

bool Has(const std::string& folder, const char* name) {
  std::error_code error;
  return fs::is_regular_file(fs::path(folder) / name, error);
}

absl::StatusOr<std::unique_ptr<const ExampleSource>> Open(const std::string& path, TrainObjective objective,
                                                          Split split) {
  std::error_code error;
  if (!fs::is_directory(path, error)) return absl::NotFoundError("the dataset is missing; wants a folder");
  const bool edits = objective == TrainObjective::kInstructPix2Pix;
  std::unique_ptr<const PairSource> pairs;
  if (Has(path, "seeds.json")) {
    IP2P_ASSIGN_OR_RETURN(pairs, OpenPairFolder(path, split));
  } else if (Has(path, "index.json")) {
    IP2P_ASSIGN_OR_RETURN(pairs, OpenPairPack(path, split));
  } else if (Has(path, "metadata.jsonl") && !edits) {
    return OpenPictureFolder(path, split);
  } else {
    return absl::FailedPreconditionError(absl::StrCat(
        "the dataset has neither seeds.json (ip2p dataset prepare makes it) nor index.json",
        edits ? "" : " nor metadata.jsonl", "; ", ObjectiveName(objective), " wants one of these"));
  }
  if (edits) return std::make_unique<EditExamples>(std::move(pairs));
  return std::make_unique<PictureExamples>(std::move(pairs));
}

}  // namespace

SplitRange RangeOf(Split split, int64_t size) {
  constexpr double kTrain = 0.9, kValidation = 0.05;
  const auto row = [size](double share) {
    return static_cast<int64_t>(std::floor(share * static_cast<double>(size)));
  };
  switch (split) {
    case Split::kTrain:
      return {0, row(kTrain)};
    case Split::kValidation:
      return {row(kTrain), row(kTrain + kValidation)};
    default:
      return {row(kTrain + kValidation), size};
  }
}

absl::StatusOr<std::unique_ptr<const ExampleSource>> OpenExamples(const std::string& path,
                                                                  TrainObjective objective, Split split) {
  IP2P_ASSIGN_OR_RETURN(const std::string local, LocalDataset(path));
  IP2P_ASSIGN_OR_RETURN(auto source, Open(local, objective, split));
  if (source->size() == 0)
    return absl::FailedPreconditionError("the dataset has no example in this split; wants at least one");
  return source;
}

}  // namespace ip2p
