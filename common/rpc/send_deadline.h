// Ends a call whose answer nobody takes: a client that keeps its connection alive but stops reading would
// otherwise hold the answer in memory for ever. Thread-safe.
#pragma once

#include <memory>

#include "absl/time/time.h"
#include "grpcpp/alarm.h"
#include "grpcpp/server_context.h"

namespace ip2p {

class SendDeadline {
 public:
  explicit SendDeadline(grpc::ServerContextBase* context);
  // Disarms; afterwards the context may go. To be destroyed before the reactor's OnDone returns.
  ~SendDeadline();

  // Cancels the call after `time` from now. Called at most once.
  void Arm(absl::Duration time);

 private:
  struct Target;

  const std::shared_ptr<Target> target_;
  grpc::Alarm alarm_;
};

}  // namespace ip2p
