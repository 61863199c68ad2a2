#include "common/prompts/outcome.h"

#include <iterator>

namespace ip2p {
namespace {

constexpr const char* kNames[] = {"none",           "bad_caption", "duplicate", "caption_flagged",
                                  "answer_flagged", "malformed",   "unchanged", "refused",
                                  "provider_error"};
static_assert(std::size(kNames) == kRejectReasons);

}  // namespace

const char* RejectName(RejectReason reason) { return kNames[static_cast<int>(reason)]; }

bool ParseReject(std::string_view name, RejectReason& reason) {
  for (int i = 0; i < kRejectReasons; ++i) {
    if (name == kNames[i]) {
      reason = static_cast<RejectReason>(i);
      return true;
    }
  }
  return false;
}

}  // namespace ip2p
