// Just enough of protobuf's wire format for google.rpc.Status and google.rpc.RetryInfo, whose .proto files
// Debian doesn't ship. Pure functions; not for other uses.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace ip2p::internal {

std::string VarintField(int number, uint64_t value);
std::string BytesField(int number, std::string_view payload);

// All length-delimited fields of that number; an empty list when the message is damaged.
std::vector<std::string> FindBytesFields(int number, const std::string& message);

}  // namespace ip2p::internal
