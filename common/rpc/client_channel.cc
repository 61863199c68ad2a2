#include "common/rpc/client_channel.h"

#include "grpcpp/create_channel.h"

namespace ip2p {
namespace {

constexpr int kReconnectMs = 2000;    // a server that starts again is found soon
constexpr int kPingEveryMs = 30'000;  // a machine that vanished ends a call that waits for it
constexpr int kPingTimeoutMs = 10'000;
constexpr int kMaxAnswerBytes = 512 << 20;  // 8 lossless pictures of 2048 x 2048 px with room

}  // namespace

std::shared_ptr<grpc::Channel> OpenChannel(const std::string& address,
                                           const std::shared_ptr<grpc::ChannelCredentials>& credentials) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMaxAnswerBytes);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kReconnectMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kPingEveryMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kPingTimeoutMs);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);  // however long a stream is silent
  return grpc::CreateCustomChannel(address, credentials, arguments);
}

}  // namespace ip2p
