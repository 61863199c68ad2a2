// An edit on a server, watched through StreamEdit.
#include "common/base/status_macros.h"
#include "common/rpc/status.h"
#include "grpcpp/client_context.h"
#include "ip2p/edit/v1/edit_service.grpc.pb.h"
#include "services/cli/edit_proto.h"
#include "services/cli/edit_task.h"

namespace ip2p {
namespace {

using edit::v1::StreamEditResponse;

absl::Duration FromProto(const google::protobuf::Duration& duration) {
  return absl::Seconds(duration.seconds()) + absl::Nanoseconds(duration.nanos());
}

void Tell(const StreamEditResponse& event, EditListener& listener) {
  if (event.has_accepted()) {
    listener.OnAccepted(event.accepted().position(), FromProto(event.accepted().estimate()));
  } else if (event.has_progress()) {
    const edit::v1::EditProgress& progress = event.progress();
    listener.OnStep(progress.output(), progress.step());
    if (progress.has_preview())
      listener.OnPreview(progress.output(), progress.step(), progress.preview().data());
  }
}

}  // namespace

absl::StatusOr<EditAnswer> EditRemotely(const ServerFlags& server, const std::string& model,
                                        const EditTask& task, EditListener& listener,
                                        Cancellation& cancellation) {
  IP2P_ASSIGN_OR_RETURN(const Connection connection, Connect(server));
  const std::unique_ptr<edit::v1::EditService::Stub> stub =
      edit::v1::EditService::NewStub(connection.channel);
  grpc::ClientContext context;
  connection.Prepare(context, task.timeout);
  const Cancellation::Scope scope(cancellation, [&context] { context.TryCancel(); });
  const auto reader = stub->StreamEdit(&context, ToProto(task, model));
  StreamEditResponse event;
  edit::v1::EditResult result;
  bool finished = false;
  while (reader->Read(&event)) {
    Tell(event, listener);
    if (event.has_result()) {
      result.Swap(event.mutable_result());
      finished = true;
    }
  }
  IP2P_RETURN_IF_ERROR(FromGrpc(reader->Finish()));
  if (!finished) return absl::InternalError("server ended the edit without a result");
  return AnswerFromProto(std::move(result), task.params);
}

}  // namespace ip2p
