#include "common/dataset/export.h"

#include "absl/strings/str_cat.h"
#include "common/base/json.h"
#include "common/base/status_macros.h"
#include "common/dataset/dataset_reader.h"
#include "common/storage/append_file.h"
#include "common/storage/atomic_file.h"
#include "common/storage/make_folder.h"
#include "common/storage/new_file.h"

namespace ip2p {
namespace {

class Exporter {
 public:
  Exporter(const DatasetReader& reader, std::string train, AppendFile metadata)
      : reader_(reader), train_(std::move(train)), metadata_(std::move(metadata)) {}

  absl::Status Add(const std::string& folder, ExportReport& report) {
    IP2P_ASSIGN_OR_RETURN(const PromptRecord record, reader_.ReadPrompt(folder));
    if (record.edit.empty()) {
      report.skipped += static_cast<int64_t>(record.pairs.size());
      return absl::OkStatus();
    }
    if (record.pairs.empty()) return absl::OkStatus();
    IP2P_RETURN_IF_ERROR(MakeFolder(absl::StrCat(train_, "/", folder), "a folder"));
    for (const std::string& seed : record.pairs) {
      nlohmann::ordered_json line;
      line["input_image_file_name"] = absl::StrCat(folder, "/", seed, "_0.jpg");
      line["edit_prompt"] = record.edit;
      line["edited_image_file_name"] = absl::StrCat(folder, "/", seed, "_1.jpg");
      for (const char* const half : {"_0.jpg", "_1.jpg"}) {
        IP2P_ASSIGN_OR_RETURN(const std::string bytes, reader_.ReadFileOf(folder, seed + half));
        IP2P_RETURN_IF_ERROR(WriteNewFile(absl::StrCat(train_, "/", folder, "/", seed, half), bytes));
      }
      IP2P_RETURN_IF_ERROR(metadata_.Append(
          line.dump(-1, ' ', /*ensure_ascii=*/false, nlohmann::json::error_handler_t::replace) + "\n"));
      ++report.pairs;
    }
    return absl::OkStatus();
  }

 private:
  const DatasetReader& reader_;
  const std::string train_;
  AppendFile metadata_;
};

}  // namespace

absl::StatusOr<ExportReport> ExportDataset(const std::string& dataset, const std::string& output,
                                           const std::function<void(int64_t, int64_t)>& progress) {
  IP2P_ASSIGN_OR_RETURN(const DatasetReader reader, DatasetReader::Open(dataset));
  IP2P_ASSIGN_OR_RETURN(AtomicFolder folder, AtomicFolder::Create(output));
  const std::string train = absl::StrCat(folder.path(), "/train");
  IP2P_RETURN_IF_ERROR(MakeFolder(train, "a folder"));
  IP2P_ASSIGN_OR_RETURN(AppendFile metadata,
                        AppendFile::Open(train + "/metadata.jsonl", "metadata.jsonl", /*exclusive=*/false));
  ExportReport report;
  {
    Exporter exporter(reader, train, std::move(metadata));
    int64_t done = 0;
    for (const std::string& name : reader.folders()) {
      IP2P_RETURN_IF_ERROR(exporter.Add(name, report));
      if (progress) progress(++done, static_cast<int64_t>(reader.folders().size()));
    }
  }
  IP2P_RETURN_IF_ERROR(folder.Publish());
  return report;
}

}  // namespace ip2p
