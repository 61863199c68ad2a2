// Over protobuf's own coded streams, which check every length.
#include "common/rpc/wire.h"

#include <cstdint>

#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "google/protobuf/wire_format_lite.h"

namespace ip2p::internal {
namespace {

using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedInputStream;
using google::protobuf::io::CodedOutputStream;
using google::protobuf::io::StringOutputStream;

}  // namespace

std::string VarintField(int number, uint64_t value) {
  std::string bytes;
  StringOutputStream stream(&bytes);
  CodedOutputStream coded(&stream);
  coded.WriteTag(WireFormatLite::MakeTag(number, WireFormatLite::WIRETYPE_VARINT));
  coded.WriteVarint64(value);
  coded.Trim();
  return bytes;
}

std::string BytesField(int number, std::string_view payload) {
  std::string bytes;
  StringOutputStream stream(&bytes);
  CodedOutputStream coded(&stream);
  coded.WriteTag(WireFormatLite::MakeTag(number, WireFormatLite::WIRETYPE_LENGTH_DELIMITED));
  coded.WriteVarint32(static_cast<uint32_t>(payload.size()));
  coded.WriteRaw(payload.data(), static_cast<int>(payload.size()));
  coded.Trim();
  return bytes;
}

std::vector<std::string> FindBytesFields(int number, const std::string& message) {
  const uint32_t wanted = WireFormatLite::MakeTag(number, WireFormatLite::WIRETYPE_LENGTH_DELIMITED);
  CodedInputStream coded(reinterpret_cast<const uint8_t*>(message.data()), static_cast<int>(message.size()));
  std::vector<std::string> found;
  while (const uint32_t tag = coded.ReadTag()) {
    if (tag == wanted) {
      uint32_t size = 0;
      std::string bytes;
      if (!coded.ReadVarint32(&size) || size > message.size() ||
          !coded.ReadString(&bytes, static_cast<int>(size))) {
        return {};
      }
      found.push_back(std::move(bytes));
    } else if (!WireFormatLite::SkipField(&coded, tag)) {
      return {};
    }
  }
  if (!coded.ConsumedEntireMessage()) return {};
  return found;
}

}  // namespace ip2p::internal
