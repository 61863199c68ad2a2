// A name for what models compute: 128 bits of their weights, configs and vocabularies. Where the files lie,
// how a JSON is spaced, and which layout a checkpoint has do not show; the weights' type does.
#pragma once

#include <string>

#include "common/checkpoint/clip_source.h"
#include "common/checkpoint/model_source.h"

namespace ip2p {

// Not thread-safe. Reads every weight on torch's intra-op threads: see README.md for seconds, and
// gives the pages back.
class Fingerprint {
 public:
  void Add(const ModelSource& source);
  void Add(const ClipSource& source);
  void Add(const SafetyCheckerSource& source);
  std::string Hex() const;  // 32 digits, of all that was added, in that order

 private:
  void AddText(const char* what, const std::string& text);
  void AddTensors(const char* part, const TensorMap& tensors);

  std::string lines_;
};

}  // namespace ip2p
