// Reads what /metrics answers (Prometheus text format 0.0.4), as far as the overview needs it. Pure
// functions.
#pragma once

#include <map>
#include <string>
#include <string_view>

namespace ip2p::gateway {

// Values by name and labels as they stand ("ip2p_edit_requests_total{code=\"OK\"}"), those of names with the
// prefix, without histogram buckets. Lines that can't be read are passed over; NaN and infinity too.
std::map<std::string, double> ParseMetrics(std::string_view text, std::string_view prefix);

}  // namespace ip2p::gateway
