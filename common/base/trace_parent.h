// The header "traceparent" (W3C Trace Context): which trace a call belongs to. It is told in logs and passed
// on.
#pragma once

#include <string>
#include <string_view>

namespace ip2p {

// VERSION-TRACE-PARENT-FLAGS, 55 characters of lower-case hexadecimal digits and "-", no part that is
// forbidden. Longer ones of later versions are refused, too.
bool IsTraceParent(std::string_view text);

// Of a trace that begins here and that nobody has asked to record. Random; any thread.
std::string NewTraceParent();

}  // namespace ip2p
