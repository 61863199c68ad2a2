#include "common/evaluation/evaluation_journal.h"

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/dataset/json_text.h"
#include "common/dataset/line_reader.h"
#include "common/storage/make_folder.h"

namespace ip2p {
namespace {

constexpr const char* kName = "samples.jsonl";
constexpr size_t kMaxLine = 1 << 20;

absl::Status Damaged(int64_t line, absl::string_view why) {
  return absl::DataLossError(absl::StrCat("line ", line, " of ", kName, " is damaged: ", why));
}

absl::Status CheckHeader(std::string_view text, const RunSettings& wanted) {
  const absl::StatusOr<nlohmann::json> json = ParseJsonObject(text);
  if (!json.ok() || !json->contains("settings") || !(*json)["settings"].is_object())
    return Damaged(1, "wants the settings");
  return CompareSettings("the evaluation", RunSettings((*json)["settings"]), wanted);
}

// That it is sample number `sample`, with the figures that the settings ask for.
absl::Status CheckRecord(const SampleRecord& record, size_t sample, const std::vector<Guidance>& guidances) {
  if (record.sample != static_cast<int64_t>(sample))
    return absl::InvalidArgumentError(
        absl::StrCat("sample is ", record.sample, "; wants ", sample, ", the next one"));
  bool same = !record.fault.empty() || record.edits.size() == guidances.size();
  for (size_t i = 0; same && i < record.edits.size(); ++i) same = record.edits[i].guidance == guidances[i];
  if (!same) return absl::InvalidArgumentError("edits have other guidance; wants that of the settings");
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<EvaluationJournal> EvaluationJournal::Open(const std::string& folder,
                                                          const RunSettings& settings,
                                                          const std::vector<Guidance>& guidances) {
  IP2P_RETURN_IF_ERROR(MakeFolder(folder, "the evaluation's folder"));
  IP2P_ASSIGN_OR_RETURN(AppendFile file,
                        AppendFile::Open(absl::StrCat(folder, "/", kName), kName, /*exclusive=*/true));
  EvaluationJournal journal(std::move(file));
  IP2P_RETURN_IF_ERROR(journal.Replay(settings, guidances));
  if (journal.file_.size() == 0) {
    const nlohmann::ordered_json header = {{"settings", settings}};
    IP2P_RETURN_IF_ERROR(journal.file_.Append(header.dump() + "\n"));
  }
  return journal;
}

absl::Status EvaluationJournal::Replay(const RunSettings& settings, const std::vector<Guidance>& guidances) {
  LineReader lines(file_.fd(), kName, kMaxLine);
  FileLine line;
  while (true) {
    IP2P_ASSIGN_OR_RETURN(const bool more, lines.Next(line));
    if (!more) return absl::OkStatus();
    if (line.torn) return file_.Truncate(line.offset);
    if (line.too_long) return Damaged(line.number, "it is too long");
    if (line.number == 1) {
      IP2P_RETURN_IF_ERROR(CheckHeader(line.text, settings));
      continue;
    }
    absl::StatusOr<SampleRecord> record = ParseSampleLine(line.text);
    if (!record.ok()) return Damaged(line.number, record.status().message());
    const absl::Status right = CheckRecord(*record, past_.size(), guidances);
    if (!right.ok()) return Damaged(line.number, right.message());
    past_.push_back(*std::move(record));
  }
}

absl::Status EvaluationJournal::Append(const SampleRecord& record) {
  IP2P_RETURN_IF_ERROR(file_.Append(SampleLine(record) + "\n"));
  return file_.Sync();
}

}  // namespace ip2p
