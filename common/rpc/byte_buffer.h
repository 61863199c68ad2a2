// Messages to and from gRPC's raw buffers, for methods that are registered raw.
//
// gRPC's C++ server answers a request that doesn't parse (text that is no UTF-8 among them) with
// UNIMPLEMENTED, before any handler sees it. A raw method can say what is wrong.
#pragma once

#include "grpcpp/impl/codegen/proto_utils.h"
#include "grpcpp/support/byte_buffer.h"

namespace ip2p {

// False when the bytes are no such message.
template <typename Message>
bool ParseBuffer(const grpc::ByteBuffer& buffer, Message* message) {
  grpc::ByteBuffer bytes = buffer;  // shares the slices; reading empties it
  return grpc::SerializationTraits<Message>::Deserialize(&bytes, message).ok();
}

template <typename Message>
grpc::ByteBuffer ToBuffer(const Message& message) {
  grpc::ByteBuffer buffer;
  bool own = false;
  grpc::SerializationTraits<Message>::Serialize(message, &buffer, &own);
  return buffer;
}

}  // namespace ip2p
