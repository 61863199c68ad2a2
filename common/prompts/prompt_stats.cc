#include "common/prompts/prompt_stats.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "common/base/json.h"
#include "common/base/status_macros.h"
#include "common/dataset/line_reader.h"
#include "common/dataset/prompt.h"
#include "common/prompts/journal.h"

namespace ip2p {
namespace {

constexpr size_t kMaxLine = 4 << 20;
constexpr size_t kMaxVerbs = 10000;
constexpr size_t kVerbsShown = 20;

int64_t Words(const std::string& text) {
  const std::vector<absl::string_view> words =
      absl::StrSplit(text, absl::ByAnyChar(" \t\r\n"), absl::SkipEmpty());
  return static_cast<int64_t>(words.size());
}

std::string FirstWord(const std::string& text) {
  const std::vector<std::string> words = absl::StrSplit(text, absl::ByAnyChar(" \t\r\n,"), absl::SkipEmpty());
  return words.empty() ? "" : absl::AsciiStrToLower(words.front());
}

void CountUpTo(std::map<std::string, int64_t>& counts, const std::string& name) {
  const bool known = counts.size() < kMaxVerbs || counts.contains(name);
  ++counts[known ? name : "other"];
}

void Count(const Prompt& prompt, PromptStats& stats) {
  ++stats.prompts;
  CountUpTo(stats.verbs, FirstWord(prompt.edit));
  CountUpTo(stats.models, prompt.model.empty() ? "unknown" : prompt.model);
  stats.caption.Add(Words(prompt.caption));
  stats.edit.Add(Words(prompt.edit));
  stats.output.Add(Words(prompt.output));
  if (!prompt.url.empty()) ++stats.with_url;
  stats.usage += prompt.usage;
}

std::vector<std::pair<std::string, int64_t>> MostFrequent(const std::map<std::string, int64_t>& counts) {
  std::vector<std::pair<std::string, int64_t>> sorted(counts.begin(), counts.end());
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  return sorted;
}

nlohmann::ordered_json ToJson(const Lengths& lengths) {
  nlohmann::ordered_json json;
  json["mean"] = lengths.mean();
  json["shortest"] = lengths.shortest;
  json["longest"] = lengths.longest;
  return json;
}

}  // namespace

void Lengths::Add(int64_t length) {
  shortest = count == 0 ? length : std::min(shortest, length);
  longest = std::max(longest, length);
  words += length;
  ++count;
}

double PromptStats::usd_per_prompt() const {
  return prompts == 0 ? 0 : static_cast<double>(usage.cost_micro_usd) / 1e6 / static_cast<double>(prompts);
}

absl::StatusOr<PromptStats> ReadPromptStats(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return absl::ErrnoToStatus(errno, "the prompts cannot be opened");
  const absl::Cleanup close = [fd] { ::close(fd); };
  PromptStats stats;
  LineReader lines(fd, "the prompts", kMaxLine);
  FileLine line;
  while (true) {
    IP2P_ASSIGN_OR_RETURN(const bool more, lines.Next(line));
    if (!more) break;
    if (line.bytes == 0) continue;
    const absl::StatusOr<Prompt> prompt = ParsePromptLine(line.text);
    if (prompt.ok()) {
      Count(*prompt, stats);
    } else {
      ++stats.unreadable;
    }
  }
  const std::string journal = path + ".journal";
  std::error_code error;
  if (!std::filesystem::exists(journal, error)) return stats;
  stats.has_journal = true;
  stats.usage = {};
  const auto count = [&stats](const JournalRecord& record) {
    stats.usage += record.outcome.usage;
    if (record.outcome.rejected != RejectReason::kNone) ++stats.rejects[RejectName(record.outcome.rejected)];
  };
  IP2P_RETURN_IF_ERROR(ReadJournal(journal, count, stats.usage));
  return stats;
}

std::string StatsText(const PromptStats& stats) {
  std::string text = absl::StrFormat("%-28s %12d\n", "prompts", stats.prompts);
  const auto row = [&text](const std::string& name, int64_t value) {
    absl::StrAppendFormat(&text, "%-28s %12d\n", name, value);
  };
  row("with a url", stats.with_url);
  if (stats.unreadable > 0) row("unreadable lines", stats.unreadable);
  for (const auto& [reason, count] : stats.rejects) row("rejected: " + reason, count);
  for (const auto& [name, lengths] :
       {std::pair{"caption", &stats.caption}, {"edit", &stats.edit}, {"output", &stats.output}}) {
    absl::StrAppendFormat(&text, "%-28s %12.1f   (%d..%d)\n", absl::StrFormat("words in %s", name),
                          lengths->mean(), lengths->shortest, lengths->longest);
  }
  row("requests", stats.usage.requests);
  row("prompt tokens", stats.usage.prompt_tokens);
  row("completion tokens", stats.usage.completion_tokens);
  absl::StrAppendFormat(&text, "%-28s %12.6f\n", "US dollars",
                        static_cast<double>(stats.usage.cost_micro_usd) / 1e6);
  absl::StrAppendFormat(&text, "%-28s %12.6f\n", "US dollars a prompt", stats.usd_per_prompt());
  for (const auto& [model, count] : MostFrequent(stats.models)) row("model: " + model, count);
  size_t shown = 0;
  for (const auto& [verb, count] : MostFrequent(stats.verbs)) {
    if (shown++ == kVerbsShown) break;
    row("verb: " + verb, count);
  }
  return text;
}

std::string StatsJson(const PromptStats& stats) {
  nlohmann::ordered_json json;
  json["prompts"] = stats.prompts;
  json["with_url"] = stats.with_url;
  json["unreadable"] = stats.unreadable;
  if (stats.has_journal) json["rejected"] = stats.rejects;
  json["words"]["caption"] = ToJson(stats.caption);
  json["words"]["edit"] = ToJson(stats.edit);
  json["words"]["output"] = ToJson(stats.output);
  json["verbs"] = stats.verbs;
  json["models"] = stats.models;
  json["requests"] = stats.usage.requests;
  json["prompt_tokens"] = stats.usage.prompt_tokens;
  json["completion_tokens"] = stats.usage.completion_tokens;
  json["cost_usd"] = static_cast<double>(stats.usage.cost_micro_usd) / 1e6;
  json["cost_usd_per_prompt"] = stats.usd_per_prompt();
  return json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace ip2p
