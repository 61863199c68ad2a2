#include "services/gateway/router.h"

#include <utility>

#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace ip2p::gateway {
namespace {

bool IsWildcard(const std::string& part) { return part.starts_with("{"); }

bool Matches(const std::vector<std::string>& pattern, const std::vector<std::string>& path) {
  if (pattern.size() != path.size()) return false;
  for (size_t i = 0; i < path.size(); ++i) {
    if (!IsWildcard(pattern[i]) && pattern[i] != path[i]) return false;
  }
  return true;
}

}  // namespace

void Router::Add(Route route) {
  auto entry = std::make_unique<Entry>();
  entry->pattern = absl::StrSplit(route.pattern, '/', absl::SkipEmpty());
  entry->route = std::move(route);
  entries_.push_back(std::move(entry));
}

Router::Match Router::Find(const std::string& method, const std::vector<std::string>& path) const {
  Match match;
  std::vector<std::string> allowed;
  for (const auto& entry : entries_) {
    if (!Matches(entry->pattern, path)) continue;
    allowed.emplace_back(entry->route.method);
    if (entry->route.method != (method == "HEAD" ? "GET" : method) || match.route != nullptr) continue;
    match.route = &entry->route;
    for (size_t i = 0; i < path.size(); ++i) {
      if (IsWildcard(entry->pattern[i])) match.parts.push_back(path[i]);
    }
  }
  match.allowed = absl::StrJoin(allowed, ", ");
  return match;
}

}  // namespace ip2p::gateway
