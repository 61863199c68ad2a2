// Between the client's words and the wire's. The only place of the client that builds edit messages.
#pragma once

#include "absl/status/statusor.h"
#include "ip2p/edit/v1/edit_service.pb.h"
#include "services/cli/edit_task.h"

namespace ip2p {

edit::v1::StreamEditRequest ToProto(const EditTask& task, const std::string& model);

// INTERNAL when the server broke its contract (not as many pictures as asked for, no mask where one was to be
// found).
absl::StatusOr<EditAnswer> AnswerFromProto(edit::v1::EditResult result, const EditParams& params);

}  // namespace ip2p
