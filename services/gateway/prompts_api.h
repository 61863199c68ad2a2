// Trying a caption against the prompt generator.
//
//   POST /api/v1/prompts               {"caption", "params": {…}} -> what became of it; a rejected caption is
//   an
//                                      answer, not an error
//   GET  /api/v1/prompts/capabilities  the configured providers
#pragma once

#include "services/gateway/router.h"
#include "services/gateway/upstream.h"

namespace ip2p::gateway {

void AddPromptsRoutes(Router& router, const Upstream* upstream);

}  // namespace ip2p::gateway
