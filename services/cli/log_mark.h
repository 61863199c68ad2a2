// How far a job's log has been read, so that it can be read again from its beginning without telling a line
// twice: the log has no numbers, but the lines of one rank are in order of time. Pure.
#pragma once

#include <cstdint>
#include <map>

#include "ip2p/training/v1/training_service.pb.h"

namespace ip2p {

class LogMark {
 public:
  bool empty() const { return ranks_.empty(); }
  // The log is read from the beginning again. `had_tail`: the first reading was of its end only, so that of
  // ranks not met there what is older than the first line is not wanted.
  void Restart(bool had_tail);
  // Whether the line comes after what was read before; then it is read now.
  bool Take(const training::v1::LogLine& line);

 private:
  struct Place {
    int64_t nanos = INT64_MIN;  // time of the last line
    int lines = 0;              // that were read of this very time
    int again = 0;              // that were passed over of this very time, since the restart
    bool behind = false;        // lines up to the place are still to come
  };
  std::map<int, Place> ranks_;
  int64_t first_nanos_ = INT64_MIN;  // of the first line
  bool only_newer_ = false;          // than that
};

}  // namespace ip2p
