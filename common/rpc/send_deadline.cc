// The alarm's callback may come after the call is over, so it reaches the context only through a shared
// target.
#include "common/rpc/send_deadline.h"

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"

namespace ip2p {

struct SendDeadline::Target {
  absl::Mutex mutex;
  grpc::ServerContextBase* context ABSL_GUARDED_BY(mutex) = nullptr;
};

SendDeadline::SendDeadline(grpc::ServerContextBase* context) : target_(std::make_shared<Target>()) {
  absl::MutexLock lock(&target_->mutex);
  target_->context = context;
}

SendDeadline::~SendDeadline() {
  absl::MutexLock lock(&target_->mutex);
  target_->context = nullptr;
}

void SendDeadline::Arm(absl::Duration time) {
  alarm_.Set(absl::ToChronoTime(absl::Now() + time), [target = target_](bool expired) {
    if (!expired) return;
    absl::MutexLock lock(&target->mutex);
    if (target->context != nullptr) target->context->TryCancel();
  });
}

}  // namespace ip2p
