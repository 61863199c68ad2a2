// Fine-tuning jobs at the provider: files + fine_tuning/jobs as typed calls. One loop's thread.
//
// Errors of every call: NOT_FOUND unknown job, FAILED_PRECONDITION the key is refused, UNAVAILABLE the
// provider fails, CANCELLED.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/base/semaphore.h"
#include "common/openai/openai_api.h"

namespace ip2p {

enum class FinetuneState { kUnknown, kValidating, kQueued, kRunning, kSucceeded, kFailed, kCancelled };

struct FinetuneJob {
  std::string id;
  FinetuneState state = FinetuneState::kUnknown;
  std::string base_model;
  std::string fine_tuned_model;  // empty until it succeeded
  absl::Time created = absl::InfinitePast();
  absl::Time finished = absl::InfinitePast();  // InfinitePast: it has not
  int64_t trained_tokens = 0;
  std::string error;  // at most 4 KiB
};

struct FinetuneOrder {
  std::string request_id;  // makes a repeated order harmless
  std::string training_file;
  std::string validation_file;  // empty: none
  std::string base_model;
  std::optional<int> epochs;  // nothing: the provider's choice
  std::string suffix;
};

struct FinetunePage {
  std::vector<FinetuneJob> jobs;  // newest first
  std::string next;               // empty: the last page
};

struct FinetuneEvent {
  absl::Time time;
  std::string message;  // at most 4 KiB
};

class FinetuneClient {
 public:
  explicit FinetuneClient(OpenAiApi* api) : api_(api) {}

  // The order's id and digest travel as the job's metadata, so that a repeated order finds its job even after
  // a restart (among the newest 100), and a broken connection never pays twice. ALREADY_EXISTS: the id was
  // used with another order. INVALID_ARGUMENT: the provider refuses the order.
  Task<absl::StatusOr<FinetuneJob>> Start(FinetuneOrder order, CancelToken* cancel);
  Task<absl::StatusOr<FinetuneJob>> Get(std::string id, CancelToken* cancel);
  Task<absl::StatusOr<FinetunePage>> List(int page_size, std::string after, CancelToken* cancel);
  // FAILED_PRECONDITION: the job has ended.
  Task<absl::StatusOr<FinetuneJob>> Cancel(std::string id, CancelToken* cancel);
  // Oldest first, the first 2,000 at most.
  Task<absl::StatusOr<std::vector<FinetuneEvent>>> Events(std::string id, CancelToken* cancel);

 private:
  // What this process started, for servers that keep no metadata.
  struct Started {
    std::string request_id;
    std::string digest;
    std::string job;
  };

  Task<absl::StatusOr<std::string>> Upload(std::string name, std::string contents, CancelToken* cancel);
  Task<absl::StatusOr<std::optional<FinetuneJob>>> FindStarted(std::string request_id, std::string digest,
                                                               CancelToken* cancel);
  Task<absl::StatusOr<FinetuneJob>> StartLocked(FinetuneOrder order, CancelToken* cancel);

  OpenAiApi* const api_;
  Semaphore starting_{1};  // so that the same order sent twice at once starts one job
  std::deque<Started> started_;
};

}  // namespace ip2p
