#include "services/gateway/prometheus_text.h"

#include <cmath>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"

namespace ip2p::gateway {

std::map<std::string, double> ParseMetrics(std::string_view text, std::string_view prefix) {
  std::map<std::string, double> values;
  for (const absl::string_view piece : absl::StrSplit(absl::string_view(text.data(), text.size()), '\n')) {
    const std::string_view line(piece.data(), piece.size());
    if (!line.starts_with(prefix)) continue;
    // A label's value may hold a space, so the name ends where the labels do.
    const size_t close = line.rfind('}');
    const size_t space = line.find(' ', close == std::string_view::npos ? 0 : close);
    if (space == std::string_view::npos) continue;
    const std::string name(line.substr(0, space));
    if (name.substr(0, name.find('{')).ends_with("_bucket")) continue;
    const std::string_view rest = line.substr(space + 1);
    const std::string_view number = rest.substr(0, rest.find(' '));  // a time may follow
    double value = 0;
    if (absl::SimpleAtod({number.data(), number.size()}, &value) && std::isfinite(value))
      values[name] = value;
  }
  return values;
}

}  // namespace ip2p::gateway
