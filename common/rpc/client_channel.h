// A channel as every client of the services wants it. Any thread.
#pragma once

#include <memory>
#include <string>

#include "grpcpp/channel.h"
#include "grpcpp/security/credentials.h"

namespace ip2p {

// To HOST:PORT; connects when it is first used. It takes answers as large as the services give them, finds a
// server that starts again within seconds, and ends calls to a machine that vanished, however long a stream
// is silent.
std::shared_ptr<grpc::Channel> OpenChannel(const std::string& address,
                                           const std::shared_ptr<grpc::ChannelCredentials>& credentials);

}  // namespace ip2p
