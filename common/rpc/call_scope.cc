// The log line of a call is the only place where its caller, id, code and duration come together.
#include "common/rpc/call_scope.h"

#include <chrono>
#include <utility>

#include "common/base/log.h"
#include "common/base/random.h"
#include "common/base/trace_parent.h"
#include "common/rpc/status.h"

namespace ip2p {
namespace {

constexpr char kRequestIdHeader[] = "x-request-id";
constexpr char kTraceParentHeader[] = "traceparent";

// Empty when the caller sent none.
std::string HeaderOf(const grpc::ServerContextBase& context, const char* name) {
  const auto header = context.client_metadata().find(name);
  if (header == context.client_metadata().end()) return "";
  return {header->second.data(), header->second.size()};
}

std::string RequestIdOf(const grpc::ServerContextBase& context) {
  std::string id = HeaderOf(context, kRequestIdHeader);
  return IsRequestId(id) ? id : RandomRequestId();
}

std::string TraceParentOf(const grpc::ServerContextBase& context) {
  std::string given = HeaderOf(context, kTraceParentHeader);
  return IsTraceParent(given) ? given : "";
}

// Faults of ours are errors, faults of callers are not.
LogLevel LevelOf(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kInternal:
    case absl::StatusCode::kUnknown:
    case absl::StatusCode::kDataLoss:
      return LogLevel::kError;
    default:
      return LogLevel::kInfo;
  }
}

}  // namespace

void CallTracker::Begin() {
  absl::MutexLock lock(&mutex_);
  ++open_;
}

void CallTracker::End() {
  absl::MutexLock lock(&mutex_);
  --open_;
}

int CallTracker::open() const {
  absl::MutexLock lock(&mutex_);
  return open_;
}

bool CallTracker::WaitIdle(absl::Time deadline) const {
  absl::MutexLock lock(&mutex_);
  auto idle = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return open_ == 0; };
  return mutex_.AwaitWithDeadline(absl::Condition(&idle), deadline);
}

CallScope::CallScope(grpc::ServerContextBase& context, const CallEnvironment& environment, const char* method,
                     Role role)
    : environment_(environment),
      method_(method),
      start_(environment.clock->Now()),
      deadline_(context.deadline() == std::chrono::system_clock::time_point::max()
                    ? absl::InfiniteFuture()
                    : absl::FromChrono(context.deadline())),
      request_id_(RequestIdOf(context)),
      traceparent_(TraceParentOf(context)) {
  environment_.tracker->Begin();
  context.AddInitialMetadata(kRequestIdHeader, request_id_);
  absl::StatusOr<Caller> caller = environment_.authenticator->Check(context, role);
  if (caller.ok()) {
    caller_ = *std::move(caller);
  } else {
    caller_.id = "unknown";
    admitted_ = caller.status();
  }
}

CallScope::~CallScope() { environment_.tracker->End(); }

grpc::Status CallScope::Finish(const absl::Status& status) {
  Log(LevelOf(status.code()), "call",
      {{"method", method_},
       {"code", absl::StatusCodeToString(status.code())},
       {"request_id", request_id_},
       {"traceparent", traceparent_},
       {"caller", caller_.id},
       {"ms", absl::ToInt64Milliseconds(environment_.clock->Now() - start_)},
       {"message", std::string(status.message())}});
  return ToGrpc(status);
}

}  // namespace ip2p
