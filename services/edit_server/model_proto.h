// What the wire may know of a model. Pure functions.
#pragma once

#include "ip2p/model/v1/model_service.pb.h"
#include "services/edit_server/model_host.h"

namespace ip2p::edit_server {

model::v1::Model ToProto(const LoadedModel& model);
model::v1::ModelStatus ToProto(const ModelState& state);

}  // namespace ip2p::edit_server
