#include "common/dataset/pack_index.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/dataset/dataset_reader.h"
#include "common/dataset/json_text.h"

namespace ip2p {
namespace {

constexpr int kFormat = 1;
constexpr int64_t kMostSamples = 1'000'000'000'000;  // of a shard: sums of them stay numbers

nlohmann::ordered_json ListOf(const std::vector<Shard>& shards) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const Shard& shard : shards) {
    list.push_back({{"url", shard.name},
                    {"nsamples", shard.samples},
                    {"filesize", shard.bytes},
                    {"sha256", shard.sha256}});
  }
  return list;
}

absl::Status Damaged(absl::string_view why) {
  return absl::DataLossError(absl::StrCat("index.json ", why, "; wants one that `ip2p dataset pack` wrote"));
}

absl::StatusOr<std::vector<Shard>> ParseList(const nlohmann::json& object, const char* key) {
  const auto list = object.find(key);
  if (list == object.end() || !list->is_array()) return Damaged(absl::StrCat("has no list ", key));
  std::vector<Shard> shards;
  for (const nlohmann::json& entry : *list) {
    if (!entry.is_object()) return Damaged("lists what is no shard");
    Shard shard{.samples = NumberOr(entry, "nsamples"), .bytes = NumberOr(entry, "filesize")};
    shard.name = TextOr(entry, "url").value_or("");
    shard.sha256 = TextOr(entry, "sha256").value_or("");
    if (!IsPlainName(shard.name) || shard.sha256.size() != 64 || shard.samples < 0 ||
        shard.samples > kMostSamples || shard.bytes < 0) {
      return Damaged("lists a shard without a plain name, a count and a SHA-256");
    }
    shards.push_back(std::move(shard));
  }
  return shards;
}

int64_t Sum(const std::vector<Shard>& shards) {
  int64_t sum = 0;
  for (const Shard& shard : shards) sum += shard.samples;
  return sum;
}

}  // namespace

int64_t PackIndex::n_pairs() const { return Sum(pairs); }
int64_t PackIndex::n_prompts() const { return std::max<int64_t>(Sum(prompts) - 1, 0); }

std::string PackIndexText(const PackIndex& index) {
  nlohmann::ordered_json out;
  out["__kind__"] = "wids-shard-index-v1";
  out["wids_version"] = 1;
  out["format"] = kFormat;
  out["prompts"] = index.n_prompts();
  out["pairs"] = index.n_pairs();
  out["shardlist"] = ListOf(index.pairs);
  out["promptlist"] = ListOf(index.prompts);
  return out.dump(2) + "\n";
}

absl::StatusOr<PackIndex> ParsePackIndex(std::string_view text) {
  const absl::StatusOr<nlohmann::json> object = ParseJsonObject(text);
  if (!object.ok()) return Damaged("is no JSON object");
  if (NumberOr(*object, "format") != kFormat) return Damaged("is of no format that is known here");
  PackIndex index;
  IP2P_ASSIGN_OR_RETURN(index.pairs, ParseList(*object, "shardlist"));
  IP2P_ASSIGN_OR_RETURN(index.prompts, ParseList(*object, "promptlist"));
  return index;
}

}  // namespace ip2p
