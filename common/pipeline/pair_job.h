// The batch job: one partition of a prompts file becomes its part of a dataset. Killed and started again, it
// goes on with the first unfinished prompt, and the bytes are those of an uninterrupted run; so are those of
// any partitioning.
//
// One thread, the caller's. Torch-free: the models come from a factory that is asked once something is left
// to do, so that whoever finds nothing loads nothing.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/dataset/partition_lock.h"
#include "common/pipeline/pair_generation.h"

namespace ip2p {

struct PairJobOptions {
  std::string prompts_file;  // a file, or s3:// URL
  std::string out_dir;       // a folder, or s3:// URL
  // Folder or s3:// URL of captioned pictures (PictureList): a prompt's photo is the first one of its
  // caption, or of its edited caption where photos are what edits lead to; a row without one is bad. Empty:
  // no photos.
  std::string photos;
  PhotoSide photo_side = PhotoSide::kBefore;
  int64_t n_partitions = 1;
  int64_t partition = 0;  // 0..n_partitions-1
  PairParams params;
  LockOptions lock;
};

struct PairJobReport {
  int64_t rows = 0;           // of this partition, bad ones included
  int64_t bad_rows = 0;       // no prompts, or without a usable photo where photos are asked for
  int64_t resumed = 0;        // prompts that were finished before
  int64_t finished = 0;       // prompts that this run finished
  int64_t left = 0;           // prompts that are not finished
  int64_t without_pairs = 0;  // of the finished ones
  int64_t sampled = 0;
  int64_t passed = 0;
  int64_t kept = 0;
  int64_t saved = 0;                  // samples that early stop left out
  std::array<int64_t, 6> verdicts{};  // samples by SampleVerdict
  bool elsewhere = false;  // another process works on this partition; nothing was done, or nothing more
};

// Hears how a job goes, on its thread. All but Step may be left alone.
class PairJobListener {
 public:
  virtual ~PairJobListener() = default;
  virtual void OnBadRow(int64_t /*line*/, const absl::Status& /*fault*/) {}
  virtual void OnLoading(const PairJobReport& /*report*/) {}  // the models, since something is left to do
  virtual void OnSample(const Sample& /*sample*/) {}
  virtual void OnPrompt(const PairJobReport& /*report*/) {}  // one was published
  // After each denoising step; an error ends the job with it, and the prompt under work is not published.
  virtual absl::Status OnStep(const PairJobReport& report, const PairStep& step) = 0;
};

// INVALID_ARGUMENT with all that is wrong with options that a program could know before it reads a file.
absl::Status CheckPairJob(const PairJobOptions& options);

using SamplerFactory = std::function<absl::StatusOr<std::unique_ptr<PairSampler>>()>;

// `report` tells what was done however it ends. Errors: INVALID_ARGUMENT (a fault in options or the prompts
// file, all listed), NOT_FOUND (no prompts file), FAILED_PRECONDITION (the dataset was made with other
// settings; the model makes nothing but NaN), RESOURCE_EXHAUSTED or UNAVAILABLE (the disk, or an overlapping
// partition of another partitioning is under work), those of the factory and of GeneratePairs.
absl::Status RunPairJob(const PairJobOptions& options, const SamplerFactory& factory,
                        PairJobListener& listener, PairJobReport& report);

}  // namespace ip2p
