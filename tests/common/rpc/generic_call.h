// Asks the standard health and reflection services, whose .proto files Debian doesn't ship, by hand-made
// messages. For tests.
#pragma once

#include <memory>
#include <string>

#include "common/rpc/wire.h"
#include "grpcpp/channel.h"
#include "grpcpp/client_context.h"
#include "grpcpp/completion_queue.h"
#include "grpcpp/generic/generic_stub.h"
#include "grpcpp/support/byte_buffer.h"

namespace ip2p::testing {

inline constexpr int kServing = 1;     // as in grpc.health.v1
inline constexpr int kNotServing = 2;  // as in grpc.health.v1
inline constexpr int kUnknownService = -1;

inline std::string Text(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  std::string text;
  if (buffer.Dump(&slices).ok()) {
    for (const grpc::Slice& slice : slices)
      text.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return text;
}

// One message there, one back, over a stream or not: the wire is the same.
inline grpc::Status Ask(const std::shared_ptr<grpc::Channel>& channel, const std::string& method,
                        const std::string& request, std::string* reply) {
  grpc::GenericStub stub(channel);
  grpc::ClientContext context;
  grpc::CompletionQueue queue;
  auto call = stub.PrepareCall(&context, method, &queue);
  void* tag = nullptr;
  bool ok = false;
  const auto next = [&] { return queue.Next(&tag, &ok) && ok; };
  call->StartCall(nullptr);
  next();
  const grpc::Slice slice(request);
  call->WriteLast(grpc::ByteBuffer(&slice, 1), grpc::WriteOptions(), nullptr);
  next();
  grpc::ByteBuffer answer;
  call->Read(&answer, nullptr);
  if (next()) *reply = Text(answer);
  grpc::Status status;
  call->Finish(&status, nullptr);
  next();
  return status;
}

inline int HealthOf(const std::shared_ptr<grpc::Channel>& channel, const std::string& service) {
  std::string reply;
  const grpc::Status status =
      Ask(channel, "/grpc.health.v1.Health/Check", internal::BytesField(1, service), &reply);
  if (!status.ok()) return kUnknownService;
  return reply.size() == 2 && reply[0] == 8 ? reply[1] : 0;  // HealthCheckResponse{status = 1}
}

// The reply to ServerReflectionRequest{list_services = 7}, in which the names can be found.
inline std::string ReflectedServices(const std::shared_ptr<grpc::Channel>& channel) {
  std::string reply;
  Ask(channel, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", internal::BytesField(7, ""),
      &reply);
  return reply;
}

}  // namespace ip2p::testing
