// Other people's pairs as a dataset of ours: a folder with metadata.jsonl as `datasets` reads it
// ("imagefolder"), or WebDataset shards. One row becomes one prompt with one pair; JPEG files are taken as
// they are, others converted.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace ip2p {

// Where a row has what; empty: the usual names are tried (FORMAT.md).
struct ImportColumns {
  std::string before;  // may be the same as after's: nothing changes, as a copy teaches
  std::string after;
  std::string edit;
};

struct ImportOptions {
  ImportColumns columns;
  std::function<void(int64_t)> progress;  // rows done; may be null
};

struct ImportReport {
  int64_t rows = 0;
  int64_t pairs = 0;                       // imported, those of an interrupted run included
  std::map<std::string, int64_t> skipped;  // rows, by why
  std::vector<std::string> examples;       // of them, the first 20: "row 17: the image after is damaged"
};

// One row, decoded as far as its format goes.
struct ImportRow {
  std::string before;  // bytes of an image file
  std::string after;
  std::string caption;
  std::string edit;
  std::string output;
  std::string fault;  // not empty: the row is skipped, and why
};

// Where rows come from, in a fixed order.
class ImportSource {
 public:
  virtual ~ImportSource() = default;
  // False at the end. Errors: of the disk, DATA_LOSS for a damaged archive.
  virtual absl::StatusOr<bool> Next(ImportRow& row) = 0;
  // Passes over one row, cheaper. False at the end.
  virtual absl::StatusOr<bool> Skip() = 0;
  virtual std::string kind() const = 0;      // "imagefolder", "webdataset"
  virtual std::string identity() const = 0;  // tells one source from another
};

// `path` is a folder with metadata.jsonl (or train/metadata.jsonl), a folder of .tar files, or one .tar file.
// NOT_FOUND, INVALID_ARGUMENT when it is none of them.
absl::StatusOr<std::unique_ptr<ImportSource>> OpenImportSource(const std::string& path,
                                                               const ImportColumns& columns);

// Fills `dataset`; rows that an interrupted run imported are passed over. FAILED_PRECONDITION: the folder
// holds another dataset. ABORTED: another process is at it.
absl::StatusOr<ImportReport> ImportDataset(ImportSource& source, const std::string& dataset,
                                           const ImportOptions& options);

// FAILED_PRECONDITION when more than kMaxBadShare of the rows were skipped.
absl::Status JudgeImport(const ImportReport& report);

std::string ImportJson(const ImportReport& report);

}  // namespace ip2p
