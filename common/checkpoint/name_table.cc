#include "common/checkpoint/name_table.h"

namespace ip2p {

NameTable::NameTable(const std::vector<NamePair>& pairs) {
  for (const NamePair& pair : pairs) {
    to_ours_[pair.theirs] = pair.ours;
    to_theirs_[pair.ours] = pair.theirs;
  }
}

std::optional<std::string> NameTable::Translate(const Map& map, std::string_view name) {
  for (size_t end = name.size(); end != name.npos && end > 0; end = name.rfind('.', end - 1)) {
    const auto found = map.find(name.substr(0, end));
    if (found != map.end()) return std::string(found->second).append(name.substr(end));
  }
  return std::nullopt;
}

}  // namespace ip2p
