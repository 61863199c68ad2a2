// A two-way translation of tensor names by their leading path components, as data. Thread-safe once built.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ip2p {

struct NamePair {
  std::string theirs;  // CompVis: "input_blocks.1.0.in_layers.0"
  std::string ours;    // diffusers: "down_blocks.0.resnets.0.norm1"
};

class NameTable {
 public:
  explicit NameTable(const std::vector<NamePair>& pairs);

  // The longest pair that covers whole components of the name, with the rest kept: "time_embed.0.weight" ->
  // "time_embedding.linear_1.weight". Nothing when no pair does.
  std::optional<std::string> ToOurs(std::string_view name) const { return Translate(to_ours_, name); }
  std::optional<std::string> ToTheirs(std::string_view name) const { return Translate(to_theirs_, name); }

 private:
  using Map = std::map<std::string, std::string, std::less<>>;
  static std::optional<std::string> Translate(const Map& map, std::string_view name);

  Map to_ours_;
  Map to_theirs_;
};

}  // namespace ip2p
