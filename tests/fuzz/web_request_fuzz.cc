// Forms, JSON bodies, paths and queries as strangers send them to the gateway. The first byte says which.
//
// Promises: parts of a form lie inside its body and their names differ; JSON that is accepted is an object
// that can be written again; a path that is accepted never leads upwards and has no empty part.
#include <cstdint>
#include <cstdlib>
#include <set>
#include <string>
#include <string_view>

#include "services/gateway/json_body.h"
#include "services/gateway/multipart.h"
#include "services/gateway/url_text.h"

namespace {

void Require(bool kept) {
  if (!kept) std::abort();
}

void ReadForm(std::string_view body) {
  const auto parts = ip2p::gateway::ParseMultipart("multipart/form-data; boundary=xyz", body);
  if (!parts.ok()) return;
  std::set<std::string> names;
  for (const ip2p::gateway::FormPart& part : *parts) {
    Require(names.insert(part.name).second);
    Require(part.bytes.empty() || (part.bytes.data() >= body.data() &&
                                   part.bytes.data() + part.bytes.size() <= body.data() + body.size()));
  }
}

void ReadJson(std::string_view body) {
  const auto object = ip2p::gateway::ParseBody(body);
  if (object.ok()) Require(ip2p::gateway::ParseBody(ip2p::gateway::JsonText(*object)).ok());
}

void ReadPath(std::string_view path) {
  const auto parts = ip2p::gateway::SplitPath(path);
  if (!parts) return;
  for (const std::string& part : *parts) {
    Require(!part.empty() && part != "." && part != ".." &&
            part.find_first_of(std::string("/\0", 2)) == std::string::npos);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 4) {
    case 0:
      ReadForm(text);
      break;
    case 1:  // a boundary of the stranger's own
      (void)ip2p::gateway::ParseMultipart(text.substr(0, text.size() / 2), text.substr(text.size() / 2));
      break;
    case 2:
      ReadJson(text);
      break;
    default:
      ReadPath(text);
  }
  return 0;
}
