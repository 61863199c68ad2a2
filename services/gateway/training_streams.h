// A job's state and its log as events.
#pragma once

#include "absl/status/statusor.h"
#include "services/gateway/upstream.h"
#include "services/gateway/web_types.h"

namespace ip2p::gateway {

// Events "job" at each change until the job ends, then "done"; or until the client leaves.
absl::StatusOr<WebAnswer> WatchJob(const Upstream& upstream, const WebRequest& request, EventSink& events);

// The last lines as one answer, oldest first; or, when the client asks for events, these and what follows as
// events "lines" until the job ends.
absl::StatusOr<WebAnswer> JobLogs(const Upstream& upstream, const WebRequest& request, EventSink& events);

}  // namespace ip2p::gateway
