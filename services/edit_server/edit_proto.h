// Between the wire's words and this server's. All validation of a request's fields happens here.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "ip2p/edit/v1/edit_service.pb.h"
#include "services/edit_server/edit_task.h"

namespace ip2p::edit_server {

// INVALID_ARGUMENT that lists all faults: "steps is 0; wants 1..1000". The photo's header is checked by magic
// only. Draws the seed when none is given. `fallback_id` is the id of a request that names none.
absl::StatusOr<EditTask> TaskFromProto(const edit::v1::EditRequest& request, int preview_every,
                                       const std::string& caller, const std::string& fallback_id);

edit::v1::EditParams ToProto(const EditParams& params);
edit::v1::EditAccepted ToProto(const EditAdmission& admission);
// Encodes the preview, if there is one, as PNG (an eighth of the picture's size: about a millisecond at 512
// px).
edit::v1::EditProgress ToProto(const EditProgress& progress);
edit::v1::EditResult ToProto(const EditAnswer& answer, bool replayed);

struct CapabilityFacts {
  int queue_limit = 0;
  int client_limit = 0;
  int max_batch = 0;
  absl::Duration estimate;    // zero: not known
  int native_resolution = 0;  // px, of the default model
};
edit::v1::GetCapabilitiesResponse CapabilitiesProto(const CapabilityFacts& facts);

}  // namespace ip2p::edit_server
