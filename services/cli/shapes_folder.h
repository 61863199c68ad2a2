// A drawn set on the disk: pictures of the miniature world with captions, as text-to-image, autoencoder and
// CLIP training read them (metadata.jsonl, Hugging Face's "imagefolder").
//
//   0000000/00000000.png ...   256 pictures a folder, published together
//   metadata.jsonl             {"file_name", "caption", "scene": what is where, in px}, a picture a line;
//   with
//                              DrawOptions::edits "edit" too: an instruction that is carried out already
//   captions.jsonl             {"caption"}, each once: for `ip2p prompts generate --captions`
//   run.json                   what the set follows from; a rerun with other settings is refused
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/shapes/draw.h"

namespace ip2p {

struct DrawOptions {
  int64_t count = 1000;  // 1..10,000,000
  uint64_t seed = 0;
  int side = shapes::kDefaultSide;  // px, 32..1024
  shapes::SetOptions set;
  bool edits = false;
  // Not empty: a picture of each row's edited caption in place of random scenes; count, set and edits have no
  // say then.
  std::string prompts_file;
  int threads = 0;                                          // 0: one a core
  const std::atomic<bool>* cancelled = nullptr;             // null: never
  std::function<void(int64_t done, int64_t all)> progress;  // may be null
};

struct DrawReport {
  int64_t pictures = 0;
  int64_t drawn = 0;     // now; the others were there
  int64_t captions = 0;  // different ones
};

// INVALID_ARGUMENT: a number out of range.
absl::Status CheckDraw(const DrawOptions& options);

// Fills `folder`, or goes on where an earlier call ended: the same bytes after any interruption. Errors:
// CheckDraw's; of the prompts file, whose first bad line is named; FAILED_PRECONDITION: the folder holds a
// set of other settings; ABORTED: another process is at it; CANCELLED; of the disk.
absl::StatusOr<DrawReport> DrawFolder(const std::string& folder, const DrawOptions& options);

std::string DrawReportJson(const DrawReport& report);

}  // namespace ip2p
