// Early return on a failed absl::Status or absl::StatusOr.
#pragma once

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#define IP2P_CONCAT_INNER(a, b) a##b
#define IP2P_CONCAT(a, b) IP2P_CONCAT_INNER(a, b)

#define IP2P_RETURN_IF_ERROR(expr)                                                \
  do {                                                                            \
    if (absl::Status ip2p_status = (expr); !ip2p_status.ok()) return ip2p_status; \
  } while (false)

#define IP2P_ASSIGN_OR_RETURN(lhs, expr) \
  IP2P_ASSIGN_OR_RETURN_IMPL(IP2P_CONCAT(ip2p_or_, __LINE__), lhs, expr)
#define IP2P_ASSIGN_OR_RETURN_IMPL(result, lhs, expr)  \
  auto result = (expr);                                \
  if (!result.ok()) return std::move(result).status(); \
  lhs = *std::move(result)
