// One record of a captions file becomes a caption. Pure functions; bytes from anyone.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace ip2p {

enum class CaptionFormat { kJsonl, kText, kCsv };

// By the name's extension: .jsonl or .json, .txt, .csv. INVALID_ARGUMENT for others; for .parquet it says how
// to convert.
absl::StatusOr<CaptionFormat> CaptionFormatOf(std::string_view file_name);

struct CaptionText {
  std::string text;
  std::string url;
};

// Where a .csv has its columns; its first record names them.
struct CsvColumns {
  size_t caption = 0;
  std::optional<size_t> url;
};

// Whether a quoted field is still open at the end, so that the record goes on in the next line.
bool CsvIsOpen(std::string_view record);
// RFC 4180. INVALID_ARGUMENT: a quote where none belongs.
absl::StatusOr<std::vector<std::string>> SplitCsv(std::string_view record);
// INVALID_ARGUMENT: no column "caption" or "input".
absl::StatusOr<CsvColumns> ReadCsvHeader(std::string_view record);

// The caption within its limits. INVALID_ARGUMENT says what is wrong with the record.
absl::StatusOr<CaptionText> ParseCaption(CaptionFormat format, const CsvColumns& columns,
                                         std::string_view record);

}  // namespace ip2p
