// Pairs of a dataset folder, by seeds.json. See pair_sources.h.
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/dataset/dataset_reader.h"
#include "common/dataset/json_text.h"
#include "common/dataset/seeds_file.h"
#include "common/storage/read_file.h"
#include "common/training/pair_sources.h"

namespace ip2p {
namespace {

constexpr size_t kMaxIndexBytes = size_t{1} << 30;
constexpr size_t kMaxPromptBytes = 1 << 20;

class PairFolder final : public PairSource {
 public:
  PairFolder(DatasetReader reader, std::vector<SeedsEntry> entries)
      : reader_(std::move(reader)), entries_(std::move(entries)) {}

  int64_t size() const override { return static_cast<int64_t>(entries_.size()); }
  int64_t choices(int64_t prompt) const override {
    return static_cast<int64_t>(entries_.at(prompt).seeds.size());
  }

  absl::StatusOr<RawPair> Get(int64_t prompt, uint64_t choice) const override {
    const SeedsEntry& entry = entries_.at(prompt);
    const std::string& seed = entry.seeds[choice % entry.seeds.size()];
    RawPair pair;
    IP2P_ASSIGN_OR_RETURN(const std::string text,
                          reader_.ReadFileOf(entry.folder, "prompt.json", kMaxPromptBytes));
    IP2P_ASSIGN_OR_RETURN(const nlohmann::json json, ParseJsonObject(text));
    IP2P_ASSIGN_OR_RETURN(pair.edit, TextOr(json, "edit"));
    IP2P_ASSIGN_OR_RETURN(pair.output, TextOr(json, "output"));
    IP2P_ASSIGN_OR_RETURN(pair.caption, TextOr(json, json.contains("caption") ? "caption" : "input"));
    IP2P_ASSIGN_OR_RETURN(pair.before, reader_.ReadFileOf(entry.folder, absl::StrCat(seed, "_0.jpg")));
    IP2P_ASSIGN_OR_RETURN(pair.after, reader_.ReadFileOf(entry.folder, absl::StrCat(seed, "_1.jpg")));
    return pair;
  }

 private:
  const DatasetReader reader_;
  const std::vector<SeedsEntry> entries_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<const PairSource>> OpenPairFolder(const std::string& path, Split split) {
  IP2P_ASSIGN_OR_RETURN(DatasetReader reader, DatasetReader::Open(path));
  IP2P_ASSIGN_OR_RETURN(const std::string text,
                        ReadFile(absl::StrCat(path, "/seeds.json"), "seeds.json", kMaxIndexBytes));
  IP2P_ASSIGN_OR_RETURN(ParsedSeeds seeds, ParseSeeds(text));
  std::erase_if(seeds.entries, [](const SeedsEntry& entry) { return entry.seeds.empty(); });
  const SplitRange range = RangeOf(split, static_cast<int64_t>(seeds.entries.size()));
  std::vector<SeedsEntry> own(std::make_move_iterator(seeds.entries.begin() + range.begin),
                              std::make_move_iterator(seeds.entries.begin() + range.end));
  return std::make_unique<PairFolder>(std::move(reader), std::move(own));
}

}  // namespace ip2p
