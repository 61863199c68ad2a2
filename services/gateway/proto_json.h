// Messages of the services as plain JSON and back, once for all of them, by reflection. Pure functions.
//
// Differs from protobuf's own JSON where that is awkward for a page: fields keep their names, 64-bit numbers
// are numbers, an enum's value is its word ("euler_a", "running"; what is unspecified is left out), durations
// are seconds, bytes are base64, a number that is none is null. Absent fields are left out, fields without
// presence are always there.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "common/base/json.h"
#include "google/protobuf/message.h"

namespace ip2p::gateway {

nlohmann::json ToJson(const google::protobuf::Message& message);

// Sets the fields that `object` holds. A number may be given as text, as forms do. INVALID_ARGUMENT names the
// field under `path` ("params.steps is "x"; wants a whole number"), or says that there is no such field.
absl::Status FromJson(const nlohmann::json& object, const std::string& path,
                      google::protobuf::Message* message);

// "euler_a" for SAMPLER_EULER_A.
std::string EnumWord(const google::protobuf::EnumValueDescriptor& value);

}  // namespace ip2p::gateway
