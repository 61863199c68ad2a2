// One call from beginning to end: who calls, under which request id, how long, with which outcome. Written
// once, so no handler can forget it.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/base/clock.h"
#include "common/rpc/auth.h"
#include "grpcpp/server_context.h"
#include "grpcpp/support/status.h"

namespace ip2p {

// Counts the calls that are not over yet, so that a server can wait for them. Thread-safe.
class CallTracker {
 public:
  void Begin();
  void End();
  int open() const;
  // True when no call is open; false when the deadline came first (it is on the real clock).
  bool WaitIdle(absl::Time deadline) const;

 private:
  mutable absl::Mutex mutex_;
  int open_ ABSL_GUARDED_BY(mutex_) = 0;
};

// What all calls of a server share. The parts must outlive the calls.
struct CallEnvironment {
  const Authenticator* authenticator = nullptr;
  CallTracker* tracker = nullptr;
  const Clock* clock = Clock::Real();
};

// Lives as long as the call: in the handler, or in its reactor. Not thread-safe; Finish is called once.
class CallScope {
 public:
  // Takes the request id from the metadata "x-request-id" when it is a good one, else makes one up, and sends
  // it back in the initial metadata. A good "traceparent" is told in the log beside it. `method` must outlive
  // the scope.
  CallScope(grpc::ServerContextBase& context, const CallEnvironment& environment, const char* method,
            Role role);
  ~CallScope();
  CallScope(const CallScope&) = delete;
  CallScope& operator=(const CallScope&) = delete;

  // UNAUTHENTICATED or PERMISSION_DENIED: then the handler finishes with it at once.
  const absl::Status& admitted() const { return admitted_; }
  const std::string& caller() const { return caller_.id; }
  const std::string& request_id() const { return request_id_; }
  absl::Time deadline() const { return deadline_; }  // InfiniteFuture: none

  // Logs the outcome and translates it for gRPC.
  grpc::Status Finish(const absl::Status& status);

 private:
  const CallEnvironment environment_;
  const char* const method_;
  const absl::Time start_;
  absl::Time deadline_;
  std::string request_id_;
  std::string traceparent_;  // empty: none, or no good one
  Caller caller_;
  absl::Status admitted_;
};

}  // namespace ip2p
