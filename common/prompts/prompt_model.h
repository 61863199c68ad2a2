// Who writes edits and who judges texts, as the generation engine sees them. Two writers exist: a language
// model behind the OpenAI API and the offline grammar of common/shapes.
//
// Threads: everything of a run lives on one event loop thread; nothing here is locked. Failures are values: a
// coroutine never throws and never ends without an Attempt or a Verdict.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/task.h"
#include "common/dataset/usage.h"

namespace ip2p {

class CancelToken;  // common/base/cancel_token.h

// A caption of a run. `index` is its place in the file or request, from 0.
struct Caption {
  int64_t index = 0;
  std::string text;  // 1 B to 4 KiB of UTF-8 without NUL
  std::string url;   // empty: unknown
};

// How edits are written; the defaults are the reference's.
struct GenerationParams {
  std::string model;               // the provider's name; empty: the provider's configured one
  double temperature = 0.7;        // 0..2
  int max_tokens = 256;            // 1..4096, of an answer; what a model thinks before comes on top
  double frequency_penalty = 0.1;  // -2..2
  int max_tries = 3;               // 1..10, of a caption
  bool moderation = true;          // of caption, edit and edited caption
  uint64_t seed = 0;               // of `shapes` and of the order of captions
};

// Where money is asked for, once for EVERY billable request that goes out (a retry is a request of its own).
class SpendGuard {
 public:
  virtual ~SpendGuard() = default;
  // Sets the worst case aside and records that, before the request is sent. RESOURCE_EXHAUSTED: the run's
  // budget can't bear it, nothing may be sent.
  virtual absl::Status Reserve(int64_t worst_micro_usd) = 0;
  // After RESOURCE_EXHAUSTED: waits until another reservation has ended, so that asking again may succeed.
  // False: none is left to wait for, or cancelled (`cancel` may be null).
  virtual Task<bool> AwaitRoom(CancelToken* cancel) = 0;
  // Ends that reservation with what it cost. Pass what was reserved when the cost is unknown (the request may
  // have been answered, but the answer was lost), and 0 when the provider surely did no work.
  virtual void Settle(int64_t reserved_micro_usd, int64_t cost_micro_usd) = 0;
};

// What a try works with. Lives as long as the coroutine that got it.
struct TryContext {
  uint64_t seed = 0;  // differs by run seed, caption and try: the writer's own randomness and jitter
  const GenerationParams& params;
  SpendGuard& spend;
  CancelToken* cancel = nullptr;  // may be null
};

enum class AttemptResult {
  kAnswered,       // edit and output are set; that output differs from the caption is the engine's check
  kMalformed,      // lacked a part, broke its format, or was cut at max_tokens: another try may do better
  kRefused,        // the model declined or a content filter stopped it: final for this caption
  kProviderError,  // transport or provider failed after the policy's retries
  kOutOfBudget,    // Reserve said no: the run ends
  kCancelled,      // the token was cancelled
  kFatal,          // no request of this run can succeed (a refused key, an unknown model): the run ends
};

// One try at one caption.
struct Attempt {
  AttemptResult result = AttemptResult::kProviderError;
  std::string edit;
  std::string output;
  std::string model;  // that answered, as the provider names it; empty when none did
  Usage usage;        // every request of the try, failed ones too
  // Why, for kProviderError and kFatal: no key, no address, no caption in its text. UNAUTHENTICATED and
  // PERMISSION_DENIED: the key; NOT_FOUND and INVALID_ARGUMENT: model or parameters.
  absl::Status status;
};

class PromptModel {
 public:
  virtual ~PromptModel() = default;
  virtual Task<Attempt> Write(const Caption& caption, TryContext context) = 0;
};

// What moderation said about some texts.
struct Verdict {
  // kAnswered (see `flagged`), kProviderError, kOutOfBudget, kCancelled or kFatal.
  AttemptResult result = AttemptResult::kProviderError;
  bool flagged = false;  // any of the texts
  Usage usage;
  absl::Status status;
};

class Moderator {
 public:
  virtual ~Moderator() = default;
  virtual Task<Verdict> Judge(std::vector<std::string> texts, TryContext context) = 0;
};

}  // namespace ip2p
