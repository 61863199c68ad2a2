// One call to a training coordinator, from connection to parsed answer; Ctrl-C cancels it.
#pragma once

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/base/status_macros.h"
#include "common/rpc/status.h"
#include "ip2p/training/v1/training_service.grpc.pb.h"
#include "services/cli/channel.h"
#include "services/cli/console.h"

namespace ip2p {

constexpr absl::Duration kTrainAskTimeout = absl::Minutes(1);
// Of what waits for a checkpoint, which is gigabytes after a step that may take minutes.
constexpr absl::Duration kTrainSaveTimeout = absl::Minutes(30);

template <typename Request, typename Response>
absl::Status AskTraining(const ServerFlags& server, Console& console, absl::Duration timeout,
                         const Request& request,
                         grpc::Status (training::v1::TrainingService::Stub::*method)(grpc::ClientContext*,
                                                                                     const Request&,
                                                                                     Response*),
                         Response* answer) {
  IP2P_ASSIGN_OR_RETURN(const Connection connection, Connect(server));
  grpc::ClientContext context;
  connection.Prepare(context, timeout);
  const Cancellation::Scope scope(console.cancellation, [&context] { context.TryCancel(); });
  const auto stub = training::v1::TrainingService::NewStub(connection.channel);
  return FromGrpc(((*stub).*method)(&context, request, answer));
}

}  // namespace ip2p
