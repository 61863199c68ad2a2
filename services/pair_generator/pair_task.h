// A request inside this server, and who hears of it. No protobuf, no torch.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/pipeline/pair_generation.h"

namespace ip2p::pair_generator {

struct PairTask {
  std::vector<PairPrompt> prompts;
  int64_t first_prompt_index = 0;
  PairParams params;
  bool native_resolution = false;  // none was asked for: the queue puts the model's own in
  std::string model;               // empty: the default
  std::string precision;           // "fp32", "bf16", "fp16" when the caller insists; empty: the model's
  std::string caller;              // whose quota it counts against
};

struct PairAdmission {
  int queue_position = 0;
  absl::Duration estimate;  // zero: nothing was measured yet
  PairParams params;
  std::string precision;
};

// Calls are serialised. OnAdmitted comes first, OnDone last and exactly once; none must block but Room.
class PairListener {
 public:
  virtual ~PairListener() = default;
  virtual void OnAdmitted(const PairAdmission& admission) = 0;
  virtual void OnProgress(int64_t prompt_index, const PairStep& step) = 0;
  virtual void OnSample(const Sample& sample) = 0;
  virtual void OnPair(const Sample& sample, StoredPair files) = 0;
  virtual void OnPrompt(int64_t prompt_index, const PromptPairs& pairs) = 0;
  // Waits until what was told has been taken so far that more may be told. An error ends the request.
  virtual absl::Status Room() = 0;
  virtual void OnDone(const absl::Status& status) = 0;
};

}  // namespace ip2p::pair_generator
