// The lines of a journal as text (FORMAT.md). Pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "common/prompts/journal.h"

namespace ip2p {

std::string HeaderRecord(const RunIdentity& identity);
// `usage`: consumed since the last record by captions that got no outcome.
std::string MoneyRecord(int64_t spent_micro_usd, int64_t reserved_micro_usd, const Usage& usage = {});
std::string StateRecord(std::string_view json);
std::string TriedRecord(int64_t index, int round, const Usage& usage);
std::string HalfMadeRecord(int64_t index, const HalfMade& half);
std::string ClosedRecord(absl::Time until);
std::string OutcomeRecord(const Outcome& outcome, int64_t spent_micro_usd, int64_t reserved_micro_usd);

struct ParsedRecord {
  enum class Kind { kHeader, kOutcome, kMoney, kState, kTried, kHalfMade, kClosed };
  Kind kind = Kind::kMoney;
  RunIdentity identity;
  JournalRecord
      record;  // views into the line; of kMoney the usage alone, of kTried and kHalfMade the index, too
  int64_t spent_micro_usd = 0;
  int64_t reserved_micro_usd = 0;
  std::string state;
  int round = 0;  // of kTried
  HalfMade half;
  absl::Time closed_until;
};

// INVALID_ARGUMENT says what is wrong with the line.
absl::StatusOr<ParsedRecord> ParseRecord(std::string_view line);

}  // namespace ip2p
