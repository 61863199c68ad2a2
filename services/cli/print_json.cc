#include "services/cli/print_json.h"

#include <google/protobuf/util/json_util.h>

#include <string>

namespace ip2p {
namespace {

absl::Status Print(const google::protobuf::Message& message, std::ostream& out, bool whitespace) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = whitespace;
  options.preserve_proto_field_names = true;
  options.always_print_primitive_fields = true;
  std::string text;
  if (!google::protobuf::util::MessageToJsonString(message, &text, options).ok()) {
    return absl::InternalError("server's answer cannot be written as JSON");
  }
  out << text;
  return absl::OkStatus();
}

}  // namespace

absl::Status PrintJson(const google::protobuf::Message& message, std::ostream& out) {
  return Print(message, out, /*whitespace=*/true);
}

absl::Status PrintJsonLine(const google::protobuf::Message& message, std::ostream& out) {
  const absl::Status printed = Print(message, out, /*whitespace=*/false);
  out << "\n" << std::flush;
  return printed;
}

}  // namespace ip2p
