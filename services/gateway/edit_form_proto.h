// What a page or a program sends to be edited, as the edit server's request. Pure functions.
//
// A JSON object, or a form with its pictures as files: image, mask, EditParams' fields (instruction, steps,
// …), model, request_id, preview_every, format, quality, lossless, omit_parameters.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "common/base/json.h"
#include "ip2p/edit/v1/edit_service.pb.h"
#include "services/gateway/web_types.h"

namespace ip2p::gateway {

// INVALID_ARGUMENT names the field.
absl::StatusOr<edit::v1::StreamEditRequest> EditFromRequest(const WebRequest& request);

inline constexpr int kMaxSweepCells = 36;

// An edit once for each pair of scales.
struct Sweep {
  edit::v1::StreamEditRequest edit;  // count 1
  std::vector<double> cfg_text;      // a column each
  std::vector<double> cfg_image;     // a row each
};

// The same fields, with lists in cfg_text and cfg_image (in a form: "3, 5, 7.5"). INVALID_ARGUMENT also for
// an empty list, over kMaxSweepCells cells, or a count other than 1.
absl::StatusOr<Sweep> SweepFromRequest(const WebRequest& request);

}  // namespace ip2p::gateway
