#include "services/cli/log_mark.h"

namespace ip2p {

void LogMark::Restart(bool had_tail) {
  only_newer_ = had_tail;
  for (auto& [rank, place] : ranks_) {
    place.behind = true;
    place.again = 0;
  }
}

bool LogMark::Take(const training::v1::LogLine& line) {
  const int64_t nanos = line.time().seconds() * 1'000'000'000 + line.time().nanos();
  if (ranks_.empty()) first_nanos_ = nanos;
  if (only_newer_ && nanos < first_nanos_ && !ranks_.contains(line.rank())) return false;
  Place& place = ranks_[line.rank()];
  if (place.behind) {
    if (nanos < place.nanos) return false;
    if (nanos == place.nanos && place.again < place.lines) {
      ++place.again;
      return false;
    }
    place.behind = false;
  }
  place.lines = nanos == place.nanos ? place.lines + 1 : 1;
  place.nanos = nanos;
  return true;
}

}  // namespace ip2p
