#include "services/gateway/multipart.h"

#include <optional>
#include <set>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "services/gateway/web_types.h"

namespace ip2p::gateway {
namespace {

constexpr size_t kMaxBoundary = 70;  // RFC 2046
constexpr size_t kMaxHeaderBytes = 4096;
constexpr std::string_view kLineEnd = "\r\n";

absl::Status Bad(std::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("the form ", absl::string_view(what.data(), what.size())));
}

// `; name="value"` of a header's value; nothing when it is absent or torn. Backslash escapes the next byte.
std::optional<std::string> Parameter(std::string_view header, std::string_view name) {
  size_t at = header.find(';');
  while (at != std::string_view::npos && at < header.size()) {
    ++at;
    while (at < header.size() && (header[at] == ' ' || header[at] == '\t')) ++at;
    const size_t equals = header.find('=', at);
    if (equals == std::string_view::npos) return std::nullopt;
    const std::string_view key = header.substr(at, equals - at);
    std::string value;
    at = equals + 1;
    if (at < header.size() && header[at] == '"') {
      for (++at; at < header.size() && header[at] != '"'; ++at) {
        if (header[at] == '\\' && at + 1 < header.size()) ++at;
        value += header[at];
      }
      if (at >= header.size()) return std::nullopt;
      at = header.find(';', at);
    } else {
      const size_t end = std::min(header.find(';', at), header.size());
      value = std::string(absl::StripAsciiWhitespace({header.data() + at, end - at}));
      at = end;
    }
    if (SameName(key, name)) return value;
  }
  return std::nullopt;
}

absl::StatusOr<FormPart> ReadHeaders(std::string_view headers) {
  FormPart part;
  bool named = false;
  while (!headers.empty()) {
    const size_t end = std::min(headers.find(kLineEnd), headers.size());
    const std::string_view line = headers.substr(0, end);
    headers.remove_prefix(std::min(end + kLineEnd.size(), headers.size()));
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos) return Bad("has a header without a colon");
    if (SameName(line.substr(0, colon), "content-type") &&
        line.find("multipart/") != std::string_view::npos) {
      return Bad("has a form inside; wants plain parts");
    }
    if (!SameName(line.substr(0, colon), "content-disposition")) continue;
    std::optional<std::string> name = Parameter(line, "name");
    if (!name || name->empty() || named) return Bad("has a part without one name");
    part.name = *std::move(name);
    part.is_file = Parameter(line, "filename").has_value();
    named = true;
  }
  if (!named) return Bad("has a part without a name");
  return part;
}

}  // namespace

absl::StatusOr<std::vector<FormPart>> ParseMultipart(std::string_view content_type, std::string_view body) {
  const std::string boundary = Parameter(content_type, "boundary").value_or("");
  if (boundary.empty() || boundary.size() > kMaxBoundary) {
    return Bad("has no boundary in Content-Type; wants one of 1..70 characters");
  }
  const std::string delimiter = "\r\n--" + boundary;
  std::vector<FormPart> parts;
  std::set<std::string> names;
  // The first delimiter may lack the line end before it.
  size_t at =
      body.starts_with(std::string_view(delimiter).substr(2)) ? delimiter.size() - 2 : body.find(delimiter);
  if (at == std::string_view::npos) return Bad("does not begin with its boundary");
  if (!body.starts_with(std::string_view(delimiter).substr(2))) at += delimiter.size();
  while (body.substr(at, 2) != "--") {
    if (body.substr(at, 2) != kLineEnd) return Bad("is torn after a boundary");
    at += 2;
    const size_t end = body.find(delimiter, at - 2);
    if (end == std::string_view::npos) return Bad("ends within a part");
    if (parts.size() == kMaxParts) return Bad(absl::StrCat("has over ", kMaxParts, " parts"));
    const size_t blank = body.find("\r\n\r\n", at);
    if (blank == std::string_view::npos || blank >= end) return Bad("has a part without a blank line");
    if (blank - at > kMaxHeaderBytes) return Bad("has a part with over 4096 B of headers");
    IP2P_ASSIGN_OR_RETURN(FormPart part, ReadHeaders(body.substr(at, blank - at)));
    const size_t begin = blank + 4;
    part.bytes = begin > end ? std::string_view() : body.substr(begin, end - begin);
    if (!names.insert(part.name).second) return Bad(absl::StrCat("has the part \"", part.name, "\" twice"));
    parts.push_back(std::move(part));
    at = end + delimiter.size();
  }
  return parts;
}

}  // namespace ip2p::gateway
