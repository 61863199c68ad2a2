#include "common/prompts/journal.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/dataset/line_reader.h"
#include "common/prompts/journal_record.h"

namespace ip2p {
namespace {

constexpr size_t kMaxRecordLine = 4 << 20;

absl::Status Damaged(int64_t line, absl::string_view why) {
  return absl::DataLossError(absl::StrCat("line ", line, " of the journal is damaged: ", why));
}

// Follows the output while the journal tells what it must be.
class Reconciler {
 public:
  explicit Reconciler(AppendFile& output)
      : output_(output), lines_(output.fd(), "the output", kMaxRecordLine) {}

  absl::Status Expect(std::string_view wanted) {
    if (!appending_) {
      FileLine line;
      IP2P_ASSIGN_OR_RETURN(const bool more, lines_.Next(line));
      if (more && !line.torn && line.text == wanted) {
        end_ = line.offset + line.bytes + 1;
        return absl::OkStatus();
      }
      if (more && !(line.torn && wanted.starts_with(line.text))) return Changed(line.number);
      appending_ = true;
      IP2P_RETURN_IF_ERROR(output_.Truncate(end_));
    }
    return output_.Append(absl::StrCat(absl::string_view(wanted.data(), wanted.size()), "\n"));
  }

  absl::Status Finish() {
    FileLine line;
    if (appending_) return absl::OkStatus();
    IP2P_ASSIGN_OR_RETURN(const bool more, lines_.Next(line));
    return more ? Changed(line.number) : absl::OkStatus();
  }

 private:
  static absl::Status Changed(int64_t line) {
    return absl::DataLossError(absl::StrCat(
        "line ", line, " of the output is not what its journal says; wants both as the run left them"));
  }

  AppendFile& output_;
  LineReader lines_;
  int64_t end_ = 0;  // of what is right
  bool appending_ = false;
};

absl::Status OtherRun(const RunIdentity& found, const RunIdentity& wanted) {
  const std::string start = "the output belongs to a run ";
  if (found.captions != wanted.captions || found.fingerprint != wanted.fingerprint) {
    return absl::FailedPreconditionError(absl::StrCat(start, "over other captions (", found.captions,
                                                      " records); wants ", wanted.captions,
                                                      " records, the same ones"));
  }
  if (found.seed != wanted.seed) {
    return absl::FailedPreconditionError(
        absl::StrCat(start, "with seed ", found.seed, "; wants ", wanted.seed));
  }
  return absl::FailedPreconditionError(absl::StrCat(start, "of partition ", found.partition, " of ",
                                                    found.n_partitions, "; wants ", wanted.partition, " of ",
                                                    wanted.n_partitions));
}

absl::Status NotOurs() {
  return absl::FailedPreconditionError("the output exists and has no journal; wants another name");
}

absl::Status SyncFolderOf(const std::string& path) {
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  const int fd = ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return absl::ErrnoToStatus(errno, "the output's folder cannot be opened");
  const absl::Cleanup close = [fd] { ::close(fd); };
  return ::fsync(fd) == 0 ? absl::OkStatus()
                          : absl::ErrnoToStatus(errno, "the output's folder cannot be synced");
}

void Count(const JournalRecord& record, RunPast& past) {
  past.done[static_cast<size_t>(record.outcome.index)] = true;
  (record.outcome.rejected == RejectReason::kNone ? past.counts.accepted : past.counts.rejected) += 1;
  past.counts.resumed += 1;
  past.counts.usage += record.outcome.usage;
  past.tried.erase(record.outcome.index);
  past.half_made.erase(record.outcome.index);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Journal>> Journal::Open(const std::string& output_path,
                                                       const RunIdentity& identity) {
  const std::string journal_path = output_path + ".journal";
  std::error_code error;
  // Told before a journal is made beside it, and below again for one that is empty.
  if (!std::filesystem::exists(journal_path, error) && std::filesystem::file_size(output_path, error) > 0 &&
      !error) {
    return NotOurs();
  }
  IP2P_ASSIGN_OR_RETURN(AppendFile journal,
                        AppendFile::Open(journal_path, "the journal", /*exclusive=*/true));
  IP2P_ASSIGN_OR_RETURN(AppendFile output, AppendFile::Open(output_path, "the output", /*exclusive=*/false));
  std::unique_ptr<Journal> result(new Journal(std::move(journal), std::move(output)));
  result->past_.done.resize(static_cast<size_t>(identity.captions));
  IP2P_RETURN_IF_ERROR(result->Replay(identity));
  if (result->journal_.size() == 0) {
    if (result->output_.size() > 0) return NotOurs();
    IP2P_RETURN_IF_ERROR(result->journal_.Append(HeaderRecord(identity) + "\n"));
    IP2P_RETURN_IF_ERROR(SyncFolderOf(output_path));
  }
  return result;
}

absl::Status Journal::Replay(const RunIdentity& identity) {
  LineReader lines(journal_.fd(), "the journal", kMaxRecordLine);
  Reconciler output(output_);
  FileLine line;
  while (true) {
    IP2P_ASSIGN_OR_RETURN(const bool more, lines.Next(line));
    if (!more) break;
    if (line.torn) {
      IP2P_RETURN_IF_ERROR(journal_.Truncate(line.offset));
      break;
    }
    absl::StatusOr<ParsedRecord> parsed = ParseRecord(line.text);
    if (!parsed.ok() || line.too_long) return Damaged(line.number, parsed.status().message());
    if ((parsed->kind == ParsedRecord::Kind::kHeader) != (line.number == 1)) {
      return Damaged(line.number, "the header stands first and once");
    }
    if (parsed->kind == ParsedRecord::Kind::kHeader) {
      if (parsed->identity != identity) return OtherRun(parsed->identity, identity);
      continue;
    }
    if (parsed->kind == ParsedRecord::Kind::kState) {
      past_.state = std::move(parsed->state);
      continue;
    }
    if (parsed->kind == ParsedRecord::Kind::kClosed) {
      past_.closed_until = parsed->closed_until;
      continue;
    }
    if (parsed->kind == ParsedRecord::Kind::kTried) {
      Tried& tried = past_.tried[parsed->record.outcome.index];
      tried.round = parsed->round;
      tried.usage += parsed->record.outcome.usage;
      continue;
    }
    if (parsed->kind == ParsedRecord::Kind::kHalfMade) {
      past_.half_made[parsed->record.outcome.index] = std::move(parsed->half);
      continue;
    }
    past_.spent_micro_usd = parsed->spent_micro_usd + parsed->reserved_micro_usd;
    if (parsed->kind == ParsedRecord::Kind::kMoney) {
      past_.counts.usage += parsed->record.outcome.usage;
      continue;
    }
    const int64_t index = parsed->record.outcome.index;
    if (index < 0 || index >= identity.captions || past_.done[static_cast<size_t>(index)]) {
      return Damaged(line.number, "its caption does not exist or has an outcome already");
    }
    Count(parsed->record, past_);
    if (parsed->record.outcome.rejected == RejectReason::kNone) {
      IP2P_RETURN_IF_ERROR(output.Expect(parsed->record.prompt_line));
    }
  }
  return journal_.size() == 0 ? absl::OkStatus() : output.Finish();
}

absl::Status Journal::Append(const Outcome& outcome, int64_t spent_micro_usd, int64_t reserved_micro_usd) {
  const int64_t before = journal_.size();
  IP2P_RETURN_IF_ERROR(journal_.Append(OutcomeRecord(outcome, spent_micro_usd, reserved_micro_usd) + "\n"));
  if (outcome.rejected != RejectReason::kNone) return absl::OkStatus();
  absl::Status written = output_.Append(PromptLine(outcome.prompt) + "\n");
  // Should this fail too, opening finds the output one line short and completes it.
  if (!written.ok()) static_cast<void>(journal_.Truncate(before));
  return written;
}

absl::Status Journal::RecordMoney(int64_t spent_micro_usd, int64_t reserved_micro_usd, const Usage& usage) {
  return journal_.Append(MoneyRecord(spent_micro_usd, reserved_micro_usd, usage) + "\n");
}

absl::Status Journal::RecordState(std::string_view json) { return journal_.Append(StateRecord(json) + "\n"); }

absl::Status Journal::RecordTried(int64_t index, int round, const Usage& usage) {
  return journal_.Append(TriedRecord(index, round, usage) + "\n");
}

absl::Status Journal::RecordHalfMade(int64_t index, const HalfMade& half) {
  return journal_.Append(HalfMadeRecord(index, half) + "\n");
}

absl::Status Journal::RecordClosed(absl::Time until) { return journal_.Append(ClosedRecord(until) + "\n"); }

absl::Status Journal::Sync() {
  IP2P_RETURN_IF_ERROR(journal_.Sync());
  return output_.Sync();
}

absl::Status ReadJournal(const std::string& path, const std::function<void(const JournalRecord&)>& visit,
                         Usage& lost) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return absl::ErrnoToStatus(errno, "the journal cannot be opened");
  const absl::Cleanup close = [fd] { ::close(fd); };
  LineReader lines(fd, "the journal", kMaxRecordLine);
  FileLine line;
  std::map<int64_t, Usage> tried, half;  // without an outcome yet, which would contain it
  while (true) {
    IP2P_ASSIGN_OR_RETURN(const bool more, lines.Next(line));
    if (!more || line.torn) break;
    const absl::StatusOr<ParsedRecord> parsed = ParseRecord(line.text);
    if (!parsed.ok()) return Damaged(line.number, parsed.status().message());
    const Outcome& outcome = parsed->record.outcome;
    if (parsed->kind == ParsedRecord::Kind::kMoney) lost += outcome.usage;
    if (parsed->kind == ParsedRecord::Kind::kTried) tried[outcome.index] += outcome.usage;
    if (parsed->kind == ParsedRecord::Kind::kHalfMade) half[outcome.index] = parsed->half.usage;
    if (parsed->kind != ParsedRecord::Kind::kOutcome) continue;
    tried.erase(outcome.index);
    half.erase(outcome.index);
    visit(parsed->record);
  }
  for (const auto& [index, usage] : tried) lost += usage;
  for (const auto& [index, usage] : half) lost += usage;
  return absl::OkStatus();
}

}  // namespace ip2p
