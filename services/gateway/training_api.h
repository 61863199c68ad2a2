// Training jobs over HTTP; {job} is a job's id. Each call needs what the coordinator asks of its token.
//
//   GET    /api/v1/training/jobs                  state (may be given once), page_size, page_token
//   POST   /api/v1/training/jobs                  {"spec": {…}, "request_id"}: queues a job
//   GET    /api/v1/training/jobs/{job}            DELETE forgets one that has ended
//   GET    /api/v1/training/jobs/{job}/watch      events: job, at each change until it ends
//   GET    /api/v1/training/jobs/{job}/logs       tail, rank; with "Accept: text/event-stream" also what
//   comes GET    /api/v1/training/jobs/{job}/checkpoints POST   /api/v1/training/jobs/{job}/pause | resume |
//   cancel | save | promote GET    /api/v1/training/jobs/{job}/curve      points: the loss of its steps,
//   thinned GET    /api/v1/training/jobs/{job}/validations            newest first GET
//   /api/v1/training/jobs/{job}/validations/{step}/{image}
#pragma once

#include <string>

#include "services/gateway/router.h"
#include "services/gateway/upstream.h"

namespace ip2p::gateway {

struct TrainingParts {
  const Upstream* upstream = nullptr;
  std::string data_dir;  // the coordinator's; empty: no curves and images
};

void AddTrainingRoutes(Router& router, const TrainingParts& parts);

}  // namespace ip2p::gateway
