// See pulse.h.
#include "services/training_worker/pulse.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/time/clock.h"

namespace ip2p::training_worker {
namespace {

constexpr size_t kMaxLines = 1000;     // of one message
constexpr size_t kMaxWaiting = 10000;  // lines kept while the coordinator is away; older ones are dropped

bool EndsTheRun(RunOrder::Kind kind) {
  return kind == RunOrder::Kind::kStop || kind == RunOrder::Kind::kAbandon;
}

}  // namespace

Pulse::Pulse(CoordinatorClient& client, absl::Duration interval, absl::Duration patience,
             absl::AnyInvocable<void()> stuck)
    : client_(client), interval_(interval), patience_(patience), stuck_(std::move(stuck)), thread_([this] {
        Run();
      }) {}

Pulse::~Pulse() {
  {
    const absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  thread_.join();
  SendLogs();
}

void Pulse::SetMetrics(const training::v1::TrainMetrics& metrics) {
  const absl::MutexLock lock(&mutex_);
  metrics_ = metrics;
}

void Pulse::AddLog(std::string_view line) {
  const absl::MutexLock lock(&mutex_);
  if (logs_.size() == kMaxWaiting) logs_.pop_front();
  logs_.push_back({.time = absl::Now(), .text = std::string(line)});
}

RunOrder Pulse::order() const {
  const absl::MutexLock lock(&mutex_);
  return order_;
}

void Pulse::Tell() {
  const absl::MutexLock lock(&telling_);
  Beat();
  SendLogs();
}

void Pulse::Run() {
  while (true) {
    Tell();
    const absl::MutexLock lock(&mutex_);
    if (absl::Now() - leave_since_ > patience_) std::exchange(stuck_, [] {})();
    if (mutex_.AwaitWithTimeout(absl::Condition(&stopping_), interval_)) return;
  }
}

void Pulse::Beat() {
  std::optional<training::v1::TrainMetrics> metrics;
  {
    const absl::MutexLock lock(&mutex_);
    metrics = metrics_;
  }
  absl::StatusOr<RunOrder> order = client_.Heartbeat(metrics ? &*metrics : nullptr);
  // A coordinator that is away is waited for: it finds its workers again. One that has another launch, or
  // that does not know the job or its token, is obeyed.
  const absl::StatusCode code = order.status().code();
  if (code == absl::StatusCode::kAborted || code == absl::StatusCode::kNotFound ||
      code == absl::StatusCode::kPermissionDenied)
    order = RunOrder{.kind = RunOrder::Kind::kAbandon};
  if (!order.ok()) return;
  const absl::MutexLock lock(&mutex_);
  if (EndsTheRun(order_.kind)) return;
  order_ = *order;
  if (EndsTheRun(order_.kind)) leave_since_ = absl::Now();
}

void Pulse::SendLogs() {
  while (true) {
    std::vector<LogLine> lines;
    {
      const absl::MutexLock lock(&mutex_);
      const size_t count = std::min(kMaxLines, logs_.size());
      lines.assign(logs_.begin(), logs_.begin() + static_cast<std::ptrdiff_t>(count));
    }
    if (lines.empty() || !client_.AppendLogs(lines).ok()) return;
    const absl::MutexLock lock(&mutex_);
    logs_.erase(logs_.begin(),
                logs_.begin() + static_cast<std::ptrdiff_t>(std::min(lines.size(), logs_.size())));
  }
}

}  // namespace ip2p::training_worker
