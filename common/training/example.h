// One training example as it leaves the data loader: pictures cropped to the run's resolution. No torch.
#pragma once

#include <cstdint>
#include <string>

#include "common/image/image.h"

namespace ip2p {

struct Example {
  Image before;      // empty where examples are single pictures
  Image after;       // the edited picture, or the only one
  std::string text;  // the instruction, or the caption of `after`
  std::string caption,
      output;  // of a pair with an instruction: captions of both pictures, empty where unknown
  // Which one it is, for caches of what networks make of it.
  int64_t index = 0;   // in its source
  int64_t choice = 0;  // 0..choices(index)-1
  bool mirrored = false;
};

}  // namespace ip2p
