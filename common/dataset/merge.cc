#include "common/dataset/merge.h"

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/sha256.h"
#include "common/base/status_macros.h"
#include "common/dataset/dataset_reader.h"
#include "common/dataset/partition_writer.h"

namespace ip2p {
namespace {

constexpr size_t kMaxScoresBytes = 1 << 30;

// A prompt's files that say more than prompt.json; either may be absent.
constexpr const char* kLists[] = {"metadata.jsonl", "scores.jsonl"};

absl::StatusOr<std::vector<PromptFile>> FilesOf(const DatasetReader& reader, const PromptRecord& record) {
  std::vector<PromptFile> files;
  if (!record.prompt_json.empty()) files.push_back({"prompt.json", record.prompt_json});
  for (const char* const name : kLists) {
    absl::StatusOr<std::string> bytes = reader.ReadFileOf(record.folder, name, kMaxScoresBytes);
    if (absl::IsNotFound(bytes.status())) continue;
    IP2P_RETURN_IF_ERROR(bytes.status());
    files.push_back({name, *std::move(bytes)});
  }
  for (const std::string& seed : record.pairs) {
    for (const char* const half : {"_0.jpg", "_1.jpg"}) {
      IP2P_ASSIGN_OR_RETURN(std::string bytes, reader.ReadFileOf(record.folder, seed + half));
      files.push_back({seed + half, std::move(bytes)});
    }
  }
  return files;
}

// Tells one list of inputs from another, and from what they were before.
absl::StatusOr<std::string> IdentityOf(const std::vector<DatasetReader>& readers) {
  Sha256 digest;
  for (const DatasetReader& reader : readers) {
    digest.Update(absl::StrCat(reader.folders().size(), "\n"));
    for (const std::string& folder : reader.folders()) {
      IP2P_ASSIGN_OR_RETURN(const PromptRecord record, reader.ReadPrompt(folder));
      digest.Update(
          absl::StrCat(folder, "/", absl::StrJoin(record.pairs, "/"), "\n", record.prompt_json, "\n"));
    }
  }
  return digest.Finish();
}

}  // namespace

absl::StatusOr<MergeReport> MergeDatasets(const std::vector<std::string>& inputs, const std::string& output,
                                          const std::function<void(int64_t, int64_t)>& progress) {
  if (inputs.empty()) return absl::InvalidArgumentError("no dataset is named; wants one or more");
  std::vector<DatasetReader> readers;
  int64_t all = 0;
  for (const std::string& input : inputs) {
    absl::StatusOr<DatasetReader> reader = DatasetReader::Open(input);
    if (!reader.ok())
      return absl::Status(reader.status().code(), absl::StrCat(input, ": ", reader.status().message()));
    all += static_cast<int64_t>(reader->folders().size());
    readers.push_back(*std::move(reader));
  }
  IP2P_ASSIGN_OR_RETURN(const std::string identity, IdentityOf(readers));
  const RunSettings settings = {{"merged", inputs.size()}, {"source_sha256", identity}};
  IP2P_ASSIGN_OR_RETURN(const std::unique_ptr<PartitionWriter> writer,
                        PartitionWriter::Open({.dataset = output, .share = kAllPrompts, .known = settings}));
  IP2P_RETURN_IF_ERROR(writer->Agree(settings));
  MergeReport report;
  for (const DatasetReader& reader : readers) {
    for (const std::string& folder : reader.folders()) {
      IP2P_ASSIGN_OR_RETURN(const PromptRecord record, reader.ReadPrompt(folder));
      IP2P_ASSIGN_OR_RETURN(const bool finished, writer->Finished(report.prompts));
      if (!finished) {
        IP2P_ASSIGN_OR_RETURN(const std::vector<PromptFile> files, FilesOf(reader, record));
        std::vector<FolderFile> views;
        views.reserve(files.size());
        for (const PromptFile& file : files) views.push_back({file.name, file.bytes});
        IP2P_RETURN_IF_ERROR(writer->Publish(report.prompts, views));
      }
      ++report.prompts;
      report.pairs += static_cast<int64_t>(record.pairs.size());
      if (progress) progress(report.prompts, all);
    }
  }
  return report;
}

}  // namespace ip2p
