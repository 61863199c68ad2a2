#include "services/cli/prompts_reporter.h"

#include <algorithm>

#include "absl/strings/str_format.h"
#include "common/base/json.h"
#include "services/cli/progress.h"

namespace ip2p {
namespace {

constexpr absl::Duration kBetweenLines = absl::Seconds(10);
constexpr absl::Duration kLongPause = absl::Seconds(5);

}  // namespace

std::string FormatRun(const RunCounts& counts, std::optional<absl::Duration> remaining) {
  const int64_t done = counts.accepted + counts.rejected;
  std::string text = absl::StrFormat("%d/%d  accepted %d  rejected %d", done, counts.total, counts.accepted,
                                     counts.rejected);
  if (counts.usage.cost_micro_usd > 0) {
    absl::StrAppendFormat(&text, "  $%.6f", static_cast<double>(counts.usage.cost_micro_usd) / 1e6);
  }
  if (remaining && done < counts.total) absl::StrAppendFormat(&text, "  %s left", FormatClock(*remaining));
  return text;
}

std::string CountsJson(const RunCounts& counts) {
  nlohmann::ordered_json json;
  json["total"] = counts.total;
  json["accepted"] = counts.accepted;
  json["rejected"] = counts.rejected;
  json["resumed"] = counts.resumed;
  json["requests"] = counts.usage.requests;
  json["prompt_tokens"] = counts.usage.prompt_tokens;
  json["completion_tokens"] = counts.usage.completion_tokens;
  json["cost_usd"] = static_cast<double>(counts.usage.cost_micro_usd) / 1e6;
  return json.dump() + "\n";
}

PromptsReporter::~PromptsReporter() {
  if (width_ > 0) console_.err << "\n" << std::flush;
  if (!untold_.empty()) console_.err << untold_ << "\n" << std::flush;
}

void PromptsReporter::OnProgress(const RunCounts& counts, std::optional<absl::Duration> remaining) {
  counts_ = counts;
  const std::string text = FormatRun(counts, remaining);
  if (console_.terminal) {
    const std::string line = text.substr(0, static_cast<size_t>(std::max(console_.columns - 1, 1)));
    console_.err << "\r" << line << std::string(width_ > line.size() ? width_ - line.size() : 0, ' ')
                 << std::flush;
    width_ = line.size();
    return;
  }
  const absl::Time now = console_.clock->Now();
  const bool last = counts.total > 0 && counts.accepted + counts.rejected == counts.total;
  if (!last && now - told_ < kBetweenLines) {
    untold_ = text;
    return;
  }
  untold_.clear();
  told_ = now;
  console_.err << text << "\n" << std::flush;
}

void PromptsReporter::OnPause(absl::Duration wait) {
  if (wait < kLongPause) return;
  if (width_ > 0) console_.err << "\n";
  width_ = 0;
  console_.err << "the provider asked for a pause: no request for " << FormatClock(wait) << "\n"
               << std::flush;
}

}  // namespace ip2p
