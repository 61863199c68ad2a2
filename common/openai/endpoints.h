// Requests for files, batches and lists, and the fields of their answers, read without trust. Pure functions.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/openai/api_call.h"

namespace ip2p {

// What may stand in a path: 1..128 characters of [A-Za-z0-9._:-], no "..".
bool IsProviderId(std::string_view id);

// POST /files. `name` is what the provider shows; ASCII.
ApiRequest UploadRequest(std::string_view purpose, std::string_view name, std::string_view contents);
// GET /files/ID/content, an answer of at most `max_bytes` in ApiReply::file.
ApiRequest DownloadRequest(const std::string& file_id, size_t max_bytes);
// GET, or POST without a body.
ApiRequest GetRequest(std::string path);
ApiRequest PostRequest(std::string path, const nlohmann::json& body, bool repeatable);
// "?limit=20&after=ID"; `after` may be empty.
std::string PageQuery(int limit, const std::string& after);

// Members of an answer; an empty text, 0 or nothing when absent, null or of another type.
std::string TextField(const nlohmann::json& object, const char* name, size_t max_bytes = 256);
int64_t CountField(const nlohmann::json& object, const char* name);
absl::Time TimeField(const nlohmann::json& object,
                     const char* name);  // seconds since 1970; InfinitePast: none
std::map<std::string, std::string> MetadataField(const nlohmann::json& object);
// Its "data", an empty list when there is none.
const nlohmann::json& ListField(const nlohmann::json& object);

// The text, cut to at most `max_bytes` between characters.
std::string CutText(std::string_view text, size_t max_bytes);

// UNAVAILABLE: "the provider's answer lacks WHAT".
absl::Status Lacks(std::string_view what);

}  // namespace ip2p
