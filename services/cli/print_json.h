// An answer as JSON, with the names of its .proto file.
#pragma once

#include <google/protobuf/message.h>

#include <ostream>

#include "absl/status/status.h"

namespace ip2p {

absl::Status PrintJson(const google::protobuf::Message& message, std::ostream& out);
// In one line, flushed: for streams.
absl::Status PrintJsonLine(const google::protobuf::Message& message, std::ostream& out);

}  // namespace ip2p
