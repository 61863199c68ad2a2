#include "common/dataset/import.h"

#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "common/base/json.h"
#include "common/base/status_macros.h"
#include "common/dataset/dataset_check.h"
#include "common/dataset/partition_writer.h"
#include "common/image/decode.h"

namespace ip2p {
namespace {

constexpr size_t kMaxExamples = 20;

// A JPEG that stands upright stays as it is; everything else becomes one.
absl::StatusOr<std::string> AsJpeg(std::string bytes, Image& image) {
  IP2P_ASSIGN_OR_RETURN(DecodedImage decoded, DecodeImage(bytes));
  image = std::move(decoded.image);
  if (decoded.format == ImageFormat::kJpeg && decoded.orientation == 1) return bytes;
  return EncodePairImage(image);
}

std::string PromptJson(const ImportRow& row) {
  nlohmann::ordered_json object;
  if (!row.caption.empty()) object["caption"] = row.caption;
  object["edit"] = row.edit;
  if (!row.output.empty()) object["output"] = row.output;
  return object.dump(-1, ' ', /*ensure_ascii=*/false, nlohmann::json::error_handler_t::replace);
}

class Importer {
 public:
  Importer(ImportSource& source, PartitionWriter& writer, const ImportOptions& options)
      : source_(source), writer_(writer), options_(options) {}

  absl::StatusOr<ImportReport> Import() {
    while (true) {
      IP2P_ASSIGN_OR_RETURN(const bool more, ImportNext());
      if (!more) return std::move(report_);
      ++report_.rows;
      if (options_.progress) options_.progress(report_.rows);
    }
  }

 private:
  absl::StatusOr<bool> ImportNext() {
    IP2P_ASSIGN_OR_RETURN(const bool finished, writer_.Finished(report_.rows));
    if (finished) {
      IP2P_ASSIGN_OR_RETURN(const bool passed, source_.Skip());
      if (passed) ++report_.pairs;
      return passed;
    }
    ImportRow row;
    IP2P_ASSIGN_OR_RETURN(const bool more, source_.Next(row));
    if (!more) return false;
    if (row.fault.empty() && row.edit.empty()) row.fault = "the instruction is missing";
    if (!row.fault.empty()) {
      PassOver(row.fault);
      return true;
    }
    return ImportRowOf(std::move(row));
  }

  absl::StatusOr<bool> ImportRowOf(ImportRow row) {
    Image before;
    Image after;
    const absl::StatusOr<std::string> before_jpeg = AsJpeg(std::move(row.before), before);
    const absl::StatusOr<std::string> after_jpeg = AsJpeg(std::move(row.after), after);
    if (!before_jpeg.ok() || !after_jpeg.ok()) {
      PassOver(absl::StrCat("the image ", before_jpeg.ok() ? "after" : "before", " is damaged"));
      return true;
    }
    if (before.width != after.width || before.height != after.height) {
      PassOver("the images are of different sizes");
      return true;
    }
    const std::string prompt = PromptJson(row);
    const std::array<FolderFile, 3> files = {
        {{"prompt.json", prompt}, {BeforeName(0), *before_jpeg}, {AfterName(0), *after_jpeg}}};
    IP2P_RETURN_IF_ERROR(writer_.Publish(report_.rows, files));
    ++report_.pairs;
    return true;
  }

  void PassOver(const std::string& why) {
    ++report_.skipped[why];
    if (report_.examples.size() < kMaxExamples) {
      report_.examples.push_back(absl::StrCat("row ", report_.rows, ": ", why));
    }
  }

  ImportSource& source_;
  PartitionWriter& writer_;
  const ImportOptions& options_;
  ImportReport report_;
};

}  // namespace

absl::StatusOr<ImportReport> ImportDataset(ImportSource& source, const std::string& dataset,
                                           const ImportOptions& options) {
  const RunSettings settings = {{"imported_from", source.kind()}, {"source_sha256", source.identity()}};
  IP2P_ASSIGN_OR_RETURN(const std::unique_ptr<PartitionWriter> writer,
                        PartitionWriter::Open({.dataset = dataset, .share = kAllPrompts, .known = settings}));
  IP2P_RETURN_IF_ERROR(writer->Agree(settings));
  return Importer(source, *writer, options).Import();
}

absl::Status JudgeImport(const ImportReport& report) {
  const auto bad = static_cast<double>(report.rows - report.pairs);
  if (report.rows == 0) return absl::FailedPreconditionError("the import's source holds no row; wants some");
  if (bad <= kMaxBadShare * static_cast<double>(report.rows)) return absl::OkStatus();
  std::vector<std::string> parts;
  for (const auto& [why, count] : report.skipped) parts.push_back(absl::StrCat(count, " rows: ", why));
  return absl::FailedPreconditionError(
      absl::StrFormat("%d of %d rows were skipped (%s); wants at most %.3g %%", report.rows - report.pairs,
                      report.rows, absl::StrJoin(parts, "; "), 100 * kMaxBadShare));
}

std::string ImportJson(const ImportReport& report) {
  nlohmann::ordered_json out;
  out["rows"] = report.rows;
  out["pairs"] = report.pairs;
  out["skipped"] = report.skipped;
  out["examples"] = report.examples;
  return out.dump(2) + "\n";
}

}  // namespace ip2p
