#include "services/cli/count_progress.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace ip2p {
namespace {

constexpr absl::Duration kBetweenLines = absl::Seconds(10);
constexpr absl::Duration kBetweenDraws = absl::Milliseconds(100);

}  // namespace

CountProgress::CountProgress(Console& console, std::string what)
    : console_(console), what_(std::move(what)), told_(console.clock->Now()) {}

CountProgress::~CountProgress() {
  if (width_ > 0) console_.err << "\r" << std::string(width_, ' ') << "\r" << std::flush;
}

void CountProgress::Tell(int64_t done, int64_t all) {
  const absl::Time now = console_.clock->Now();
  if (now - told_ < (console_.terminal ? kBetweenDraws : kBetweenLines)) return;
  told_ = now;
  const std::string text =
      all > 0 ? absl::StrCat(done, "/", all, " ", what_) : absl::StrCat(done, " ", what_);
  if (!console_.terminal) {
    console_.err << text << "\n" << std::flush;
    return;
  }
  console_.err << "\r" << text << std::string(width_ > text.size() ? width_ - text.size() : 0, ' ')
               << std::flush;
  width_ = text.size();
}

}  // namespace ip2p
