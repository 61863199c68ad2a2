// Pair jobs over a sampler of hashes, in folders of their own, and what a dataset looks like as a whole.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/dataset/prompt.h"
#include "common/dataset/prompt_folder.h"
#include "common/pipeline/pair_job.h"
#include "gtest/gtest.h"
#include "tests/fakes/fake_pair_sampler.h"
#include "tests/fakes/temp_folder.h"

namespace ip2p {

using FilesByName = std::map<std::string, std::string>;

// Names of files that only one of the two has, or that differ: a list to read, where the bytes would fill
// screens.
inline std::vector<std::string> Differing(const FilesByName& a, const FilesByName& b) {
  std::vector<std::string> names;
  for (const auto& [name, bytes] : a) {
    if (!b.contains(name) || b.at(name) != bytes) names.push_back(name);
  }
  for (const auto& [name, bytes] : b) {
    if (!a.contains(name)) names.push_back(name);
  }
  return names;
}

// Ends a job at a step, when told to.
class StepListener : public PairJobListener {
 public:
  absl::Status OnStep(const PairJobReport& report, const PairStep& step) override {
    ++steps;
    return on_step ? on_step(report, step) : absl::OkStatus();
  }
  void OnBadRow(int64_t line, const absl::Status& fault) override {
    bad_rows[line] = std::string(fault.message());
  }
  void OnLoading(const PairJobReport&) override { ++loads; }
  void OnPrompt(const PairJobReport& report) override {
    if (on_prompt) on_prompt(report);
  }

  std::function<absl::Status(const PairJobReport&, const PairStep&)> on_step;
  std::function<void(const PairJobReport&)> on_prompt;
  std::map<int64_t, std::string> bad_rows;
  int loads = 0;
  int steps = 0;
};

class PairJobTest : public ::testing::Test {
 protected:
  PairJobOptions Options(const std::string& out) const {
    PairJobOptions options;
    options.prompts_file = folder_.In("prompts.jsonl");
    options.out_dir = folder_.In(out);
    options.params.steps = 2;
    options.params.n_samples = 6;
    options.params.max_out_samples = 2;
    options.params.thresholds = {.clip = 0.2, .dir = 0.5, .img = 0.2};
    return options;
  }
  void WritePrompts(int count) const {
    std::string text;
    for (int i = 0; i < count; ++i) {
      absl::StrAppend(
          &text,
          PromptLine(
              {.caption = absl::StrCat("caption ", i), .edit = "edit", .output = absl::StrCat("output ", i)}),
          "\n");
    }
    folder_.Write("prompts.jsonl", text);
  }
  // A grey picture of the set "set".
  void WritePhoto(const std::string& name, uint8_t level) const {
    std::filesystem::create_directories(folder_.In("set"));
    folder_.Write(
        "set/" + name,
        *EncodePairImage({.width = 8, .height = 8, .pixels = std::vector<uint8_t>(8 * 8 * 3, level)}));
  }

  absl::Status Run(const PairJobOptions& options) { return Run(options, listener_); }
  absl::Status Run(const PairJobOptions& options, PairJobListener& listener) {
    report_ = PairJobReport();
    return RunPairJob(
        options, [this] { return std::make_unique<FakePairSampler>(sampler_); }, listener, report_);
  }

  // Every file by its name in the dataset, but the locks'.
  FilesByName Files(const std::string& out) const {
    FilesByName files;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_.In(out))) {
      const std::string name = std::filesystem::relative(entry.path(), folder_.In(out)).string();
      if (entry.is_regular_file() && name != ".lock")
        files[name] = folder_.Read(absl::StrCat(out, "/", name));
    }
    return files;
  }

  const TempFolder folder_;
  FakePairSamplerOptions sampler_;
  StepListener listener_;
  PairJobReport report_;
};

}  // namespace ip2p
