// Keys stand in a fixed order, and an accepted prompt stands last, so that its line can be taken out byte by
// byte.
#include "common/prompts/journal_record.h"

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/status_macros.h"
#include "common/dataset/json_text.h"

namespace ip2p {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kVersion = 1;
constexpr int64_t kMaxTries = 1000;
constexpr std::string_view kPromptKey = ",\"prompt\":";

std::string Dump(const Json& json) {
  return json.dump(-1, ' ', /*ensure_ascii=*/false, nlohmann::json::error_handler_t::replace);
}

std::string HexOf(const Hash128& hash) { return absl::StrFormat("%016x%016x", hash.high, hash.low); }

bool FromHex(const std::string& text, Hash128& hash) {
  return text.size() == 32 && absl::SimpleHexAtoi(text.substr(0, 16), &hash.high) &&
         absl::SimpleHexAtoi(text.substr(16), &hash.low);
}

absl::Status ReadHeader(const nlohmann::json& json, ParsedRecord& parsed) {
  if (NumberOr(json, "journal") != kVersion) {
    return absl::InvalidArgumentError(
        absl::StrCat("the journal's version is ", NumberOr(json, "journal"), "; wants ", kVersion));
  }
  parsed.kind = ParsedRecord::Kind::kHeader;
  parsed.identity.captions = NumberOr(json, "captions");
  parsed.identity.n_partitions = NumberOr(json, "n_partitions");
  parsed.identity.partition = NumberOr(json, "partition");
  IP2P_ASSIGN_OR_RETURN(const std::string seed, TextOr(json, "seed"));
  IP2P_ASSIGN_OR_RETURN(const std::string fingerprint, TextOr(json, "fingerprint"));
  if (!absl::SimpleAtoi(seed, &parsed.identity.seed) || !FromHex(fingerprint, parsed.identity.fingerprint)) {
    return absl::InvalidArgumentError("the journal's first record is damaged");
  }
  return absl::OkStatus();
}

Usage ReadUsage(const nlohmann::json& json) {
  return {.requests = NumberOr(json, "requests"),
          .prompt_tokens = NumberOr(json, "prompt_tokens"),
          .completion_tokens = NumberOr(json, "completion_tokens"),
          .cost_micro_usd = NumberOr(json, "cost_micro_usd")};
}

void Put(const Usage& usage, Json& json) {
  json["requests"] = usage.requests;
  json["prompt_tokens"] = usage.prompt_tokens;
  json["completion_tokens"] = usage.completion_tokens;
  json["cost_micro_usd"] = usage.cost_micro_usd;
}

absl::Status ReadHalfMade(const nlohmann::json& json, ParsedRecord& parsed) {
  parsed.kind = ParsedRecord::Kind::kHalfMade;
  parsed.record.outcome.index = NumberOr(json, "half_made");
  HalfMade& half = parsed.half;
  half.tries = static_cast<int>(std::clamp<int64_t>(NumberOr(json, "tries"), 0, kMaxTries));
  half.pending = json.contains("edit");
  IP2P_ASSIGN_OR_RETURN(half.edit, TextOr(json, "edit"));
  IP2P_ASSIGN_OR_RETURN(half.output, TextOr(json, "output"));
  IP2P_ASSIGN_OR_RETURN(half.model, TextOr(json, "model"));
  half.usage = ReadUsage(json);
  return absl::OkStatus();
}

absl::Status ReadOutcome(std::string_view line, const nlohmann::json& json, ParsedRecord& parsed) {
  parsed.kind = ParsedRecord::Kind::kOutcome;
  Outcome& outcome = parsed.record.outcome;
  outcome.index = NumberOr(json, "index");
  outcome.line = NumberOr(json, "line");
  IP2P_ASSIGN_OR_RETURN(outcome.model, TextOr(json, "model"));
  IP2P_ASSIGN_OR_RETURN(outcome.detail, TextOr(json, "detail"));
  outcome.usage = ReadUsage(json);
  IP2P_ASSIGN_OR_RETURN(const std::string outcome_name, TextOr(json, "outcome"));
  if (!ParseReject(outcome_name, outcome.rejected)) {
    return absl::InvalidArgumentError("the record's outcome is unknown");
  }
  const size_t prompt = line.find(kPromptKey);
  const bool accepted = outcome.rejected == RejectReason::kNone;
  if (accepted != (prompt != std::string_view::npos && line.ends_with('}'))) {
    return absl::InvalidArgumentError("the record's outcome and prompt don't fit");
  }
  if (accepted) {
    const size_t begin = prompt + kPromptKey.size();
    parsed.record.prompt_line = line.substr(begin, line.size() - 1 - begin);
  }
  return absl::OkStatus();
}

}  // namespace

std::string HeaderRecord(const RunIdentity& identity) {
  Json json;
  json["journal"] = kVersion;
  json["captions"] = identity.captions;
  json["fingerprint"] = HexOf(identity.fingerprint);
  json["seed"] = absl::StrCat(identity.seed);  // 64 bits: JSON's numbers hold fewer
  json["n_partitions"] = identity.n_partitions;
  json["partition"] = identity.partition;
  return Dump(json);
}

std::string MoneyRecord(int64_t spent_micro_usd, int64_t reserved_micro_usd, const Usage& usage) {
  Json json;
  if (usage.requests > 0) Put(usage, json);
  json["spent"] = spent_micro_usd;
  json["reserved"] = reserved_micro_usd;
  return Dump(json);
}

std::string StateRecord(std::string_view json) {
  std::string record = "{\"state\":";
  record += json;
  return record + "}";
}

std::string TriedRecord(int64_t index, int round, const Usage& usage) {
  Json json;
  json["tried"] = index;
  json["round"] = round;
  Put(usage, json);
  return Dump(json);
}

std::string HalfMadeRecord(int64_t index, const HalfMade& half) {
  Json json;
  json["half_made"] = index;
  json["tries"] = half.tries;
  if (!half.model.empty()) json["model"] = half.model;
  Put(half.usage, json);
  if (half.pending) {
    json["edit"] = half.edit;
    json["output"] = half.output;
  }
  return Dump(json);
}

std::string ClosedRecord(absl::Time until) {
  return absl::StrCat("{\"closed_until_ms\":", absl::ToUnixMillis(until + absl::Milliseconds(1)), "}");
}

std::string OutcomeRecord(const Outcome& outcome, int64_t spent_micro_usd, int64_t reserved_micro_usd) {
  Json json;
  json["index"] = outcome.index;
  json["line"] = outcome.line;
  json["outcome"] = RejectName(outcome.rejected);
  if (!outcome.detail.empty()) json["detail"] = outcome.detail;
  if (!outcome.model.empty()) json["model"] = outcome.model;
  Put(outcome.usage, json);
  json["spent"] = spent_micro_usd;
  json["reserved"] = reserved_micro_usd;
  std::string line = Dump(json);
  if (outcome.rejected != RejectReason::kNone) return line;
  line.pop_back();
  return absl::StrCat(line, absl::string_view(kPromptKey.data(), kPromptKey.size()),
                      PromptLine(outcome.prompt), "}");
}

absl::StatusOr<ParsedRecord> ParseRecord(std::string_view line) {
  IP2P_ASSIGN_OR_RETURN(const nlohmann::json json, ParseJsonObject(line));
  ParsedRecord parsed;
  parsed.spent_micro_usd = NumberOr(json, "spent");
  parsed.reserved_micro_usd = NumberOr(json, "reserved");
  if (json.contains("journal")) {
    IP2P_RETURN_IF_ERROR(ReadHeader(json, parsed));
  } else if (json.contains("index")) {
    IP2P_RETURN_IF_ERROR(ReadOutcome(line, json, parsed));
  } else if (json.contains("state")) {
    parsed.kind = ParsedRecord::Kind::kState;
    parsed.state = json["state"].dump();
  } else if (json.contains("tried")) {
    parsed.kind = ParsedRecord::Kind::kTried;
    parsed.record.outcome.index = NumberOr(json, "tried");
    parsed.round = static_cast<int>(NumberOr(json, "round"));
    parsed.record.outcome.usage = ReadUsage(json);
  } else if (json.contains("half_made")) {
    IP2P_RETURN_IF_ERROR(ReadHalfMade(json, parsed));
  } else if (json.contains("closed_until_ms")) {
    parsed.kind = ParsedRecord::Kind::kClosed;
    parsed.closed_until = absl::FromUnixMillis(NumberOr(json, "closed_until_ms"));
  } else if (json.contains("spent")) {
    parsed.record.outcome.usage = ReadUsage(json);
  } else {
    return absl::InvalidArgumentError("the record is of no known kind");
  }
  return parsed;
}

}  // namespace ip2p
