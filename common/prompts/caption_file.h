// A captions file as a list of any length: read once to number its records and to mark faults and duplicates,
// then record by record at any place. Memory is bounded: the index lies in a file without a name, and
// duplicates are found by sorting 16-byte hashes, which are dropped after that. One thread.
//
// The first record in file order wins: every process that opens the same file marks the same duplicates, so
// that partitions agree.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/base/hash128.h"
#include "common/prompts/caption_format.h"
#include "common/prompts/prompt_model.h"
#include "common/storage/temp_file.h"

namespace ip2p {

// How a record fared before anybody was asked.
enum class CaptionState : int32_t { kGood, kBad, kDuplicate };

struct NumberedCaption {
  CaptionState state = CaptionState::kGood;
  Caption caption;  // its index alone unless good
  int64_t line = 0;
  std::string fault;  // what is wrong with a bad one
};

class CaptionFile {
 public:
  // `path` is a regular file; or "-" or a pipe, whose bytes are first spooled into `temp_folder`. Standard
  // input is JSONL, unless `format` says otherwise. Errors: NOT_FOUND, INVALID_ARGUMENT (the extension, the
  // .csv's header), RESOURCE_EXHAUSTED (no space for the index), as open(2) and read(2).
  struct Options {
    std::string temp_folder = ".";
    const CaptionFormat* format = nullptr;  // null: by the name
  };
  static absl::StatusOr<std::unique_ptr<CaptionFile>> Open(const std::string& path, const Options& options);
  // Captions that came otherwise, in memory.
  static absl::StatusOr<std::unique_ptr<CaptionFile>> FromList(const std::vector<Caption>& captions,
                                                               const std::string& temp_folder);
  ~CaptionFile();
  CaptionFile(const CaptionFile&) = delete;
  CaptionFile& operator=(const CaptionFile&) = delete;

  int64_t size() const { return size_; }  // records, bad ones and duplicates included
  // Of all records in their order.
  const Hash128& fingerprint() const { return fingerprint_; }

  // Costs two small reads. OUT_OF_RANGE or DATA_LOSS when the file was changed meanwhile.
  absl::StatusOr<NumberedCaption> Read(int64_t index) const;

 private:
  CaptionFile(int fd, CaptionFormat format, TempFile index);
  absl::Status Index(const std::string& temp_folder);

  const int fd_;
  const CaptionFormat format_;
  CsvColumns columns_;
  TempFile index_;
  int64_t size_ = 0;
  Hash128 fingerprint_;
};

}  // namespace ip2p
