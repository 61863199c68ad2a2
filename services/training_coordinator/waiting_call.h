// Calls on raw bytes that may have to wait: their request is parsed, a handler on a pool's thread answers it,
// or says "not yet" and is asked again at each pulse. A caller that leaves ends its call at once, and one
// that takes nothing of its answer for send_timeout is cut off. Every call deletes itself when it is over.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "common/base/log.h"
#include "common/base/worker_pool.h"
#include "common/rpc/byte_buffer.h"
#include "common/rpc/call_scope.h"
#include "common/rpc/send_deadline.h"
#include "common/rpc/status.h"
#include "grpcpp/grpcpp.h"
#include "services/training_coordinator/pulse.h"
#include "services/training_coordinator/training_metrics.h"

namespace ip2p::training_coordinator {

// What the calls of a service share; must outlive them.
struct CallParts {
  CallEnvironment calls;
  WorkerPool* pool = nullptr;
  Pulse* pulse = nullptr;
  TrainingMetrics* metrics = nullptr;
  absl::Duration send_timeout = absl::Seconds(60);
};

// What a handler gives: an answer, an error, or nothing yet.
template <typename Response>
using Answer = absl::StatusOr<std::optional<Response>>;

// Beginning and end of a call, in logs and metrics. Quiet ones, of which a worker makes one a second, are
// logged when they fail.
class CallRecord {
 public:
  CallRecord(grpc::ServerContextBase& context, const CallParts& parts, const char* method, bool quiet)
      : parts_(parts), method_(method) {
    if (quiet) {
      parts.calls.tracker->Begin();
    } else {
      scope_.emplace(context, parts.calls, method, Role::kEdit);
    }
  }
  ~CallRecord() {
    if (!scope_) parts_.calls.tracker->End();
  }
  CallRecord(const CallRecord&) = delete;
  CallRecord& operator=(const CallRecord&) = delete;

  absl::Status admitted() const { return scope_ ? scope_->admitted() : absl::OkStatus(); }
  grpc::Status Finish(const absl::Status& status) {
    parts_.metrics->OnCall(method_, status.code());
    if (scope_) return scope_->Finish(status);
    if (!status.ok()) {
      Log(LogLevel::kInfo, "call", {{"method", method_}, {"status", status.ToString()}});
    }
    return ToGrpc(status);
  }

 private:
  const CallParts& parts_;
  const char* const method_;
  std::optional<CallScope> scope_;
};

inline absl::Status Unparsable() {
  return absl::InvalidArgumentError(
      "the request can't be parsed: it is damaged, or a text in it is not UTF-8");
}

// A call with one answer.
template <typename Request, typename Response>
class UnaryCall final : public grpc::ServerUnaryReactor,
                        public Pulsed,
                        public std::enable_shared_from_this<UnaryCall<Request, Response>> {
 public:
  using Handler = std::function<Answer<Response>(const Request&)>;

  static grpc::ServerUnaryReactor* Begin(grpc::CallbackServerContext* context, const CallParts& parts,
                                         const char* method, const grpc::ByteBuffer* bytes,
                                         grpc::ByteBuffer* out, Handler handler, bool quiet = false) {
    auto call = std::make_shared<UnaryCall>(context, parts, method, out, std::move(handler), quiet);
    call->self_ = call;
    absl::Status status = call->record_.admitted();
    if (status.ok() && !ParseBuffer(*bytes, &call->request_)) status = Unparsable();
    if (!status.ok()) {
      call->End(status);
    } else {
      call->OnPulse();
    }
    return call.get();
  }

  UnaryCall(grpc::CallbackServerContext* context, const CallParts& parts, const char* method,
            grpc::ByteBuffer* out, Handler handler, bool quiet)
      : parts_(parts),
        send_deadline_(context),
        record_(*context, parts, method, quiet),
        out_(out),
        handler_(std::move(handler)) {}

  void OnPulse() override {
    {
      absl::MutexLock lock(&mutex_);
      if (asking_ || ended_) return;
      asking_ = true;
    }
    parts_.pool->Post([self = this->shared_from_this()] { self->Ask(); });
  }
  void OnCancel() override { End(absl::CancelledError("the caller has left")); }
  void OnDone() override { self_.reset(); }

 private:
  void Ask() {
    Answer<Response> answer = handler_(request_);
    if (!answer.ok()) return End(answer.status());
    if (answer->has_value()) return End(absl::OkStatus(), &**answer);
    if (parts_.pulse->stopping())
      return End(absl::UnavailableError("the coordinator is stopping; try again"));
    absl::MutexLock lock(&mutex_);
    asking_ = false;
    if (!std::exchange(waiting_, true)) parts_.pulse->Add(this->weak_from_this());
  }
  void End(const absl::Status& status, const Response* response = nullptr) {
    {
      absl::MutexLock lock(&mutex_);
      if (std::exchange(ended_, true)) return;
    }
    if (response != nullptr) *out_ = ToBuffer(*response);
    send_deadline_.Arm(parts_.send_timeout);
    this->Finish(record_.Finish(status));
  }

  const CallParts& parts_;
  SendDeadline send_deadline_;
  CallRecord record_;
  grpc::ByteBuffer* const out_;
  Handler handler_;
  Request request_;
  std::shared_ptr<UnaryCall> self_;  // until OnDone

  absl::Mutex mutex_;
  bool asking_ ABSL_GUARDED_BY(mutex_) = false;
  bool waiting_ ABSL_GUARDED_BY(mutex_) = false;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
};

// A stream of answers: after each that was taken, and at each pulse, the handler is asked for the next. For a
// slow reader it is asked less often, so that one message is all that waits for it; when that is not taken
// for send_timeout, the call ends as ABORTED, which a reader that has stopped reading sees as CANCELLED. The
// stream ends with OUT_OF_RANGE, which the caller sees as OK, or any other error.
template <typename Request, typename Response>
class StreamCall final : public grpc::ServerWriteReactor<grpc::ByteBuffer>,
                         public Pulsed,
                         public std::enable_shared_from_this<StreamCall<Request, Response>> {
 public:
  using Handler = std::function<Answer<Response>(const Request&)>;

  static grpc::ServerWriteReactor<grpc::ByteBuffer>* Begin(grpc::CallbackServerContext* context,
                                                           const CallParts& parts, const char* method,
                                                           const grpc::ByteBuffer* bytes, Handler handler) {
    auto call = std::make_shared<StreamCall>(context, parts, method, std::move(handler));
    call->self_ = call;
    absl::Status status = call->record_.admitted();
    if (status.ok() && !ParseBuffer(*bytes, &call->request_)) status = Unparsable();
    if (!status.ok()) {
      call->End(status);
    } else {
      parts.pulse->Add(call->weak_from_this());
      call->OnPulse();
    }
    return call.get();
  }

  StreamCall(grpc::CallbackServerContext* context, const CallParts& parts, const char* method,
             Handler handler)
      : parts_(parts),
        context_(context),
        record_(*context, parts, method, /*quiet=*/false),
        handler_(std::move(handler)) {}

  void OnPulse() override {
    {
      absl::MutexLock lock(&mutex_);
      CutOffIfStalled();
      if (busy_ || ended_) return;
      busy_ = true;
    }
    parts_.pool->Post([self = this->shared_from_this()] { self->Ask(); });
  }
  void OnWriteDone(bool ok) override {
    std::optional<absl::Status> end;
    {
      absl::MutexLock lock(&mutex_);
      busy_ = writing_ = false;
      end = std::exchange(end_, std::nullopt);
    }
    if (end) {
      this->Finish(record_.Finish(*end));
    } else if (ok) {
      OnPulse();
    }  // else the call is being cancelled: OnCancel comes
  }
  void OnCancel() override { End(absl::CancelledError("the caller has left")); }
  void OnDone() override { self_.reset(); }

 private:
  void Ask() {
    Answer<Response> answer = handler_(request_);
    if (absl::IsOutOfRange(answer.status())) return End(absl::OkStatus());
    if (!answer.ok()) return End(answer.status());
    if (!answer->has_value() && parts_.pulse->stopping()) {
      return End(absl::UnavailableError("the coordinator is stopping; try again"));
    }
    absl::MutexLock lock(&mutex_);
    if (ended_) return;
    if (!answer->has_value()) {
      busy_ = false;
      return;
    }
    message_ = ToBuffer(**answer);
    writing_ = true;
    written_since_ = absl::Now();
    this->StartWrite(&message_);
  }
  // The context lives: it goes after Finish, which waits for the write, which ends under the lock.
  void CutOffIfStalled() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (!writing_ || ended_ || absl::Now() - written_since_ < parts_.send_timeout) return;
    ended_ = true;
    end_ = absl::AbortedError("the caller took nothing of what waits for it; wants a reader");
    context_->TryCancel();
  }
  void End(const absl::Status& status) {
    {
      absl::MutexLock lock(&mutex_);
      if (std::exchange(ended_, true)) return;
      if (writing_) {  // nothing may be under way at the end
        end_ = status;
        return;
      }
    }
    this->Finish(record_.Finish(status));
  }

  const CallParts& parts_;
  grpc::CallbackServerContext* const context_;
  CallRecord record_;
  Handler handler_;
  Request request_;
  std::shared_ptr<StreamCall> self_;  // until OnDone

  absl::Mutex mutex_;
  grpc::ByteBuffer message_ ABSL_GUARDED_BY(mutex_);
  bool busy_ ABSL_GUARDED_BY(mutex_) = false;  // asking or writing
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Time written_since_ ABSL_GUARDED_BY(mutex_);  // while writing
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<absl::Status> end_ ABSL_GUARDED_BY(mutex_);  // waits for the write
};

}  // namespace ip2p::training_coordinator
