#include "services/cli/print_json.h"

#include <google/protobuf/util/json_util.h>

#include <string>

namespace ip2p {

absl::Status PrintJson(const google::protobuf::Message& message, std::ostream& out) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  options.preserve_proto_field_names = true;
  options.always_print_primitive_fields = true;
  std::string text;
  if (!google::protobuf::util::MessageToJsonString(message, &text, options).ok()) {
    return absl::InternalError("server's answer cannot be written as JSON");
  }
  out << text;
  return absl::OkStatus();
}

}  // namespace ip2p
