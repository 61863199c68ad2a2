// The two calls that wait for an edit. Each deletes itself in gRPC's OnDone, which comes after Finish, which
// comes exactly once: from Begin when the edit is refused, else from the edit's OnFinished.
#pragma once

#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "common/rpc/call_scope.h"
#include "common/rpc/send_deadline.h"
#include "ip2p/edit/v1/edit_service.pb.h"
#include "services/edit_server/edit_service.h"
#include "services/edit_server/edit_task.h"

namespace ip2p::edit_server {

// What both have in common: from the request to the queue, and the figures at the end.
class EditCall : public EditListener {
 protected:
  EditCall(const EditServiceParts& parts, grpc::CallbackServerContext* context, const char* method);

  // Not OK: refused, and OnFinished will not come. `request` is null when it didn't parse.
  absl::Status Start(const edit::v1::EditRequest* request, int preview_every);
  // The caller is gone, or its deadline has passed.
  void Abandon();
  // Counts and logs; gives what to finish with.
  grpc::Status Close(const absl::Status& status);

  const EditServiceParts& parts_;
  SendDeadline send_deadline_;

 private:
  CallScope scope_;
  std::string model_label_ = "unknown";
  EditQueue::Ticket ticket_;
};

// Edit.
class EditReactor final : public grpc::ServerUnaryReactor, public EditCall {
 public:
  EditReactor(const EditServiceParts& parts, grpc::CallbackServerContext* context,
              grpc::ByteBuffer* response);
  void Begin(const grpc::ByteBuffer& bytes);

  void OnAccepted(const EditAdmission& admission) override;
  void OnProgress(const EditProgress& progress) override;
  void OnFinished(const absl::StatusOr<std::shared_ptr<const EditAnswer>>& answer, bool replayed) override;

  void OnCancel() override { Abandon(); }
  void OnDone() override { delete this; }

 private:
  grpc::ByteBuffer* const response_;
};

// StreamEdit. At most one write is under way; meanwhile only the newest progress is kept.
class StreamEditReactor final : public grpc::ServerWriteReactor<grpc::ByteBuffer>, public EditCall {
 public:
  StreamEditReactor(const EditServiceParts& parts, grpc::CallbackServerContext* context);
  void Begin(const grpc::ByteBuffer& bytes);

  void OnAccepted(const EditAdmission& admission) override;
  void OnProgress(const EditProgress& progress) override;
  void OnFinished(const absl::StatusOr<std::shared_ptr<const EditAnswer>>& answer, bool replayed) override;

  void OnWriteDone(bool ok) override;
  void OnCancel() override { Abandon(); }
  void OnDone() override;

 private:
  // Starts the next write, or ends the call, when nothing is being written.
  void Pump() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  absl::Mutex mutex_;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  grpc::ByteBuffer message_ ABSL_GUARDED_BY(mutex_);  // being written
  std::optional<edit::v1::EditAccepted> accepted_ ABSL_GUARDED_BY(mutex_);
  std::optional<edit::v1::EditProgress> progress_ ABSL_GUARDED_BY(mutex_);
  std::optional<edit::v1::EditResult> result_ ABSL_GUARDED_BY(mutex_);
  std::optional<grpc::Status> outcome_ ABSL_GUARDED_BY(mutex_);  // set: the edit is over
};

}  // namespace ip2p::edit_server
