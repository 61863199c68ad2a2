// A run's money: set aside before each request, settled after, stopped hard at the limit. One thread.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>

#include "absl/status/status.h"
#include "common/prompts/prompt_model.h"

namespace ip2p {

class Budget final : public SpendGuard {
 public:
  // Writes down what is spent and what is reserved, before a request goes out: whoever resumes takes both as
  // spent, so a killed run can't overspend. An error stops the request.
  using Record = std::function<absl::Status(int64_t spent_micro_usd, int64_t reserved_micro_usd)>;

  // `limit`: nothing is unlimited, 0 allows only what is free. `spent`: by former runs, their reservations
  // included.
  Budget(std::optional<int64_t> limit_micro_usd, int64_t spent_micro_usd, Record record)
      : limit_(limit_micro_usd), spent_(spent_micro_usd), record_(std::move(record)) {}

  absl::Status Reserve(int64_t worst_micro_usd) override;
  Task<bool> AwaitRoom(CancelToken* cancel) override;
  void Settle(int64_t reserved_micro_usd, int64_t cost_micro_usd) override;

  // A reservation of a former run, counted as spent, will be settled after all: its batch is still under way.
  void Adopt(int64_t reserved_micro_usd);
  // What can still be reserved; nothing is unlimited.
  std::optional<int64_t> left_micro_usd() const;

  int64_t spent_micro_usd() const { return spent_; }
  int64_t reserved_micro_usd() const { return reserved_; }
  std::optional<int64_t> limit_micro_usd() const { return limit_; }

 private:
  const std::optional<int64_t> limit_;
  int64_t spent_;
  int64_t reserved_ = 0;
  const Record record_;
  std::deque<Event*> waiters_;  // in the order they came
};

}  // namespace ip2p
