#include "common/base/repeater.h"

#include <utility>

namespace ip2p {

Repeater::Repeater(absl::Duration every, absl::AnyInvocable<void()> call)
    : every_(every), call_(std::move(call)), thread_([this] { Run(); }) {}

Repeater::~Repeater() {
  {
    const absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  thread_.join();
}

void Repeater::Run() {
  while (true) {
    {
      const absl::MutexLock lock(&mutex_);
      if (mutex_.AwaitWithTimeout(absl::Condition(&stopping_), every_)) return;
    }
    call_();
  }
}

}  // namespace ip2p
