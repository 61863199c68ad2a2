// Random numbers that nobody can guess: request ids and seeds. From the kernel; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace ip2p {

uint32_t RandomUint32();

// 32 hexadecimal digits.
std::string RandomRequestId();

// What a caller may name a request: 1..128 characters of [A-Za-z0-9._:-], so it can stand in logs and
// headers.
bool IsRequestId(std::string_view text);

}  // namespace ip2p
