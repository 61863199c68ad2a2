#include "common/openai/endpoints.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/base/random.h"

namespace ip2p {
namespace {

using Json = nlohmann::json;

constexpr size_t kMaxIdBytes = 128;
constexpr size_t kMaxMetadata = 16;            // pairs, the API's own limit
constexpr int64_t kLastSecond = 253402300799;  // 9999-12-31

absl::string_view View(std::string_view text) { return {text.data(), text.size()}; }

const Json* Field(const Json& object, const char* name) {
  if (!object.is_object()) return nullptr;
  const auto it = object.find(name);
  return it == object.end() ? nullptr : &*it;
}

}  // namespace

bool IsProviderId(std::string_view id) {
  const auto allowed = [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_' || c == ':' || c == '-';
  };
  return !id.empty() && id.size() <= kMaxIdBytes && std::all_of(id.begin(), id.end(), allowed) &&
         id.find("..") == std::string_view::npos && id != ".";
}

ApiRequest UploadRequest(std::string_view purpose, std::string_view name, std::string_view contents) {
  const std::string boundary = absl::StrCat("ip2p-", RandomRequestId());
  ApiRequest request;
  request.path = "/files";
  request.metered = false;
  request.content_type = absl::StrCat("multipart/form-data; boundary=", boundary);
  request.body = absl::StrCat(
      "--", boundary, "\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\n", View(purpose), "\r\n--",
      boundary, "\r\nContent-Disposition: form-data; name=\"file\"; filename=\"", View(name),
      "\"\r\nContent-Type: application/jsonl\r\n\r\n", View(contents), "\r\n--", boundary, "--\r\n");
  request.total_timeout = absl::Minutes(10);
  return request;
}

ApiRequest DownloadRequest(const std::string& file_id, size_t max_bytes) {
  ApiRequest request = GetRequest(absl::StrCat("/files/", file_id, "/content"));
  request.raw_answer = true;
  request.max_answer_bytes = max_bytes;
  request.total_timeout = absl::Minutes(10);
  return request;
}

ApiRequest GetRequest(std::string path) {
  ApiRequest request;
  request.method = "GET";
  request.path = std::move(path);
  request.metered = false;
  return request;
}

ApiRequest PostRequest(std::string path, const Json& body, bool repeatable) {
  ApiRequest request;
  request.path = std::move(path);
  request.body = body.dump(-1, ' ', false, Json::error_handler_t::replace);
  request.metered = false;
  request.repeatable = repeatable;
  return request;
}

std::string PageQuery(int limit, const std::string& after) {
  return absl::StrCat("?limit=", limit, after.empty() ? "" : "&after=", after);
}

std::string TextField(const Json& object, const char* name, size_t max_bytes) {
  const Json* field = Field(object, name);
  return field != nullptr && field->is_string() ? CutText(field->get_ref<const std::string&>(), max_bytes)
                                                : std::string();
}

int64_t CountField(const Json& object, const char* name) {
  const Json* field = Field(object, name);
  if (field == nullptr || !field->is_number_integer()) return 0;
  if (field->is_number_unsigned() && field->get<uint64_t>() > uint64_t{INT64_MAX}) return 0;
  return std::max<int64_t>(field->get<int64_t>(), 0);
}

absl::Time TimeField(const Json& object, const char* name) {
  const int64_t seconds = CountField(object, name);
  return seconds == 0 || seconds > kLastSecond ? absl::InfinitePast() : absl::FromUnixSeconds(seconds);
}

std::map<std::string, std::string> MetadataField(const Json& object) {
  std::map<std::string, std::string> metadata;
  const Json* field = Field(object, "metadata");
  if (field == nullptr || !field->is_object()) return metadata;
  for (const auto& [name, value] : field->items()) {
    if (value.is_string() && metadata.size() < kMaxMetadata) metadata.emplace(name, value.get<std::string>());
  }
  return metadata;
}

const Json& ListField(const Json& object) {
  static const auto* const kNone = new Json(Json::array());
  const Json* field = Field(object, "data");
  return field != nullptr && field->is_array() ? *field : *kNone;
}

std::string CutText(std::string_view text, size_t max_bytes) {
  if (text.size() <= max_bytes) return std::string(text);
  size_t end = max_bytes;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return std::string(text.substr(0, end));
}

absl::Status Lacks(std::string_view what) {
  return absl::UnavailableError(absl::StrCat("the provider's answer lacks ", View(what)));
}

}  // namespace ip2p
