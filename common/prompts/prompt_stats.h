// What a prompts file holds, and, from the journal beside it, what became of the other captions and what it
// all cost. Reads line by line; memory is bounded by the number of different verbs.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "common/dataset/usage.h"
#include "common/prompts/outcome.h"

namespace ip2p {

// Lengths in words.
struct Lengths {
  int64_t count = 0;
  int64_t words = 0;  // of all together
  int64_t shortest = 0;
  int64_t longest = 0;
  void Add(int64_t length);
  double mean() const { return count == 0 ? 0 : static_cast<double>(words) / static_cast<double>(count); }
};

struct PromptStats {
  int64_t prompts = 0;
  int64_t unreadable = 0;                 // lines that are no prompts
  std::map<std::string, int64_t> verbs;   // first word of the instruction, lower case; "other" beyond 10000
  std::map<std::string, int64_t> models;  // that wrote them
  Lengths caption, edit, output;
  int64_t with_url = 0;
  bool has_journal = false;
  std::map<std::string, int64_t> rejects;  // by reason, from the journal
  Usage usage;                             // with a journal: of all captions; else of the prompts
  // Of accepted prompts; rejected captions' costs are shared among them.
  double usd_per_prompt() const;
};

// Errors: NOT_FOUND and as open(2); DATA_LOSS for a damaged journal.
absl::StatusOr<PromptStats> ReadPromptStats(const std::string& path);

std::string StatsText(const PromptStats& stats);  // a table; the twenty most frequent verbs
std::string StatsJson(const PromptStats& stats);

}  // namespace ip2p
