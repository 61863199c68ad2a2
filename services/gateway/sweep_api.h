// A grid of edits that differ in their scales only, in one request.
//
//   POST /api/v1/sweep   fields of an edit, with lists in cfg_text and cfg_image. Events: started, progress,
//   cell
//                        (row, column, both scales, the picture), done, or error; without events one answer
//                        with all cells. One seed for all: the given one, else one that is drawn and told.
#pragma once

#include "services/gateway/edit_api.h"

namespace ip2p::gateway {

void AddSweepRoutes(Router& router, const EditApiParts& parts);

}  // namespace ip2p::gateway
