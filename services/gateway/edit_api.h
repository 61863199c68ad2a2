// Edits over HTTP.
//
//   GET  /api/v1/models          the models that can be named
//   GET  /api/v1/capabilities    what the edit server accepts, with its defaults
//   POST /api/v1/edit            an edit. With "Accept: text/event-stream" events: accepted, progress (with
//                                previews when preview_every asks for them), result, or error; else the
//                                result
//   POST /api/v1/cancel/{id}     calls off the caller's edit or sweep whose X-Request-Id that is
#pragma once

#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "ip2p/edit/v1/edit_service.pb.h"
#include "services/gateway/router.h"
#include "services/gateway/running_work.h"
#include "services/gateway/upstream.h"

namespace ip2p::gateway {

struct EditApiParts {
  const Upstream* upstream = nullptr;
  RunningWork* running = nullptr;
  absl::Duration timeout;
  size_t max_body_bytes = 0;
};

void AddEditRoutes(Router& router, const EditApiParts& parts);

// Runs an edit on the edit server; `on_event` hears accepted and progress, and may refuse to go on by false.
// CANCELLED when it does, or when the request's departure is announced.
absl::StatusOr<edit::v1::EditResult> RunEdit(
    const EditApiParts& parts, const WebRequest& request, const edit::v1::StreamEditRequest& edit,
    const std::function<bool(const edit::v1::StreamEditResponse&)>& on_event);

// Whether the client asked for events.
bool WantsEvents(const WebRequest& request);

}  // namespace ip2p::gateway
