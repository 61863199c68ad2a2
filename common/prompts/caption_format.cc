#include "common/prompts/caption_format.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/dataset/json_text.h"
#include "common/prompts/caption_text.h"

namespace ip2p {
namespace {

absl::StatusOr<CaptionText> FromJson(std::string_view record) {
  IP2P_ASSIGN_OR_RETURN(const nlohmann::json object, ParseJsonObject(record));
  CaptionText caption;
  const char* const key = object.contains("caption") ? "caption" : "input";
  if (!object.contains(key)) return absl::InvalidArgumentError("caption is missing; wants a text");
  IP2P_ASSIGN_OR_RETURN(caption.text, TextOr(object, key));
  IP2P_ASSIGN_OR_RETURN(caption.url, TextOr(object, "url"));
  return caption;
}

absl::StatusOr<CaptionText> FromCsv(const CsvColumns& columns, std::string_view record) {
  IP2P_ASSIGN_OR_RETURN(std::vector<std::string> fields, SplitCsv(record));
  if (columns.caption >= fields.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the record has ", fields.size(), " fields; wants at least ", columns.caption + 1));
  }
  CaptionText caption{.text = std::move(fields[columns.caption])};
  if (columns.url && *columns.url < fields.size()) caption.url = std::move(fields[*columns.url]);
  return caption;
}

}  // namespace

absl::StatusOr<CaptionFormat> CaptionFormatOf(std::string_view file_name) {
  const size_t dot = file_name.rfind('.');
  std::string extension(dot == std::string_view::npos ? "" : file_name.substr(dot));
  for (char& c : extension) c = absl::ascii_tolower(static_cast<unsigned char>(c));
  if (extension == ".jsonl" || extension == ".json" || extension == ".ndjson") return CaptionFormat::kJsonl;
  if (extension == ".txt") return CaptionFormat::kText;
  if (extension == ".csv") return CaptionFormat::kCsv;
  if (extension == ".parquet") {
    return absl::InvalidArgumentError(
        "captions are .parquet; wants .jsonl, .txt or .csv: convert with "
        "pandas.read_parquet(\"FILE.parquet\")"
        ".to_json(\"FILE.jsonl\", orient=\"records\", lines=True)");
  }
  return absl::InvalidArgumentError("captions have an unknown extension; wants .jsonl, .txt or .csv");
}

bool CsvIsOpen(std::string_view record) {
  bool open = false;
  for (const char c : record) open ^= c == '"';  // a doubled quote closes and opens again
  return open;
}

absl::StatusOr<std::vector<std::string>> SplitCsv(std::string_view record) {
  std::vector<std::string> fields(1);
  bool quoted = false;  // inside of quotes
  bool closed = false;  // after them
  for (size_t i = 0; i < record.size(); ++i) {
    const char c = record[i];
    if (quoted && c == '"' && i + 1 < record.size() && record[i + 1] == '"') {
      fields.back() += '"';
      ++i;
    } else if (quoted && c == '"') {
      quoted = false;
      closed = true;
    } else if (quoted) {
      fields.back() += c;
    } else if (c == ',') {
      fields.emplace_back();
      closed = false;
    } else if (c == '"' && fields.back().empty() && !closed) {
      quoted = true;
    } else if (c == '"' || closed) {
      return absl::InvalidArgumentError(
          "a quote stands inside of a field; wants it doubled, in a quoted field");
    } else {
      fields.back() += c;
    }
  }
  if (quoted) return absl::InvalidArgumentError("a quoted field is not closed; wants a final quote");
  return fields;
}

absl::StatusOr<CsvColumns> ReadCsvHeader(std::string_view record) {
  IP2P_ASSIGN_OR_RETURN(const std::vector<std::string> names, SplitCsv(record));
  std::optional<size_t> caption, input, url;
  for (size_t i = 0; i < names.size(); ++i) {
    const std::string name(absl::StripAsciiWhitespace(names[i]));
    if (name == "caption" && !caption) caption = i;
    if (name == "input" && !input) input = i;
    if (name == "url" && !url) url = i;
  }
  if (!caption && !input) {
    return absl::InvalidArgumentError("the first record names no column \"caption\" or \"input\"; wants one");
  }
  return CsvColumns{.caption = caption ? *caption : *input, .url = url};
}

absl::StatusOr<CaptionText> ParseCaption(CaptionFormat format, const CsvColumns& columns,
                                         std::string_view record) {
  absl::StatusOr<CaptionText> caption = format == CaptionFormat::kJsonl ? FromJson(record)
                                        : format == CaptionFormat::kText
                                            ? CaptionText{std::string(record), ""}
                                            : FromCsv(columns, record);
  if (!caption.ok()) return caption.status();
  IP2P_RETURN_IF_ERROR(CheckCaption(caption->text, caption->url));
  return caption;
}

}  // namespace ip2p
