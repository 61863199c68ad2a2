// libFuzzer: the JSON files of a dataset from anyone. The first byte chooses which: a line of scores.jsonl,
// seeds.json, a pack's index.json, run.json, a row of an import. What is accepted is written and reads back.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "common/dataset/dataset_reader.h"
#include "common/dataset/import_columns.h"
#include "common/dataset/json_text.h"
#include "common/dataset/pack_index.h"
#include "common/dataset/run_file.h"
#include "common/dataset/sample.h"
#include "common/dataset/seeds_file.h"
#include "common/pipeline/pair_settings.h"

namespace {

void Check(bool condition) {
  if (!condition) std::abort();
}

void ReadScoreLine(std::string_view text) {
  static_cast<void>(ip2p::ParseDigests(text));
  const absl::StatusOr<ip2p::Sample> sample = ip2p::ParseScoreLine(text, 12);
  if (!sample.ok()) {
    Check(absl::IsInvalidArgument(sample.status()));
    return;
  }
  Check(sample->sample_index >= 0);
  Check(ip2p::ParseScoreLine(ip2p::ScoreLine(*sample), 12).value() == *sample);
  const ip2p::PairDigests digests{.before = "a", .after = "b"};
  const std::string line = ip2p::ScoreLine(*sample, digests);
  Check(ip2p::ParseScoreLine(line, 12).value() == *sample && ip2p::ParseDigests(line) == digests);
  Check(ip2p::ParseScoreLine(ip2p::MetadataLine(*sample), 12)->seed == sample->seed);
  if (sample->scores) static_cast<void>(ip2p::Judge(*sample->scores, {}));
}

void ReadSeeds(std::string_view text) {
  const absl::StatusOr<ip2p::ParsedSeeds> seeds = ip2p::ParseSeeds(text);
  if (!seeds.ok()) {
    Check(absl::IsDataLoss(seeds.status()));
    return;
  }
  for (const ip2p::SeedsEntry& entry : seeds->entries) {
    Check(ip2p::IsPlainName(entry.folder));
    for (const std::string& seed : entry.seeds) Check(ip2p::IsPlainName(seed));
  }
  const ip2p::ParsedSeeds again = ip2p::ParseSeeds(ip2p::SeedsText(seeds->entries)).value();
  Check(again.entries == seeds->entries && again.skipped == 0);
}

void ReadIndex(std::string_view text) {
  const absl::StatusOr<ip2p::PackIndex> index = ip2p::ParsePackIndex(text);
  if (!index.ok()) {
    Check(absl::IsDataLoss(index.status()));
    return;
  }
  Check(index->n_pairs() >= 0 && index->n_prompts() >= 0);
  for (const auto* shards : {&index->pairs, &index->prompts}) {
    for (const ip2p::Shard& shard : *shards) Check(ip2p::IsPlainName(shard.name));
  }
  Check(ip2p::ParsePackIndex(ip2p::PackIndexText(*index)).value() == *index);
}

void ReadRun(std::string_view text) {
  const absl::StatusOr<ip2p::RunSettings> run = ip2p::ParseRunFile(text);
  if (!run.ok()) {
    Check(absl::IsDataLoss(run.status()));
    return;
  }
  const absl::StatusOr<ip2p::PairParams> params = ip2p::ParamsOf(*run);
  if (!params.ok()) {
    Check(absl::IsInvalidArgument(params.status()));
    return;
  }
  Check(ip2p::ValidatePairs(*params).ok());
  const ip2p::RunSettings settings = ip2p::SettingsOf(*params);
  Check(ip2p::SettingsOf(ip2p::ParamsOf(settings).value()) == settings);
}

void ReadRow(std::string_view text) {
  const absl::StatusOr<nlohmann::json> object = ip2p::ParseJsonObject(text);
  if (!object.ok()) {
    Check(absl::IsInvalidArgument(object.status()));
    return;
  }
  ip2p::ImportRow row;
  std::string before;
  std::string after;
  ip2p::TakeTexts(*object, {.before = "x"}, row, before, after);
  Check(row.fault.empty() && row.before.empty() && row.after.empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  constexpr void (*kReaders[])(std::string_view) = {ReadScoreLine, ReadSeeds, ReadIndex, ReadRun, ReadRow};
  kReaders[data[0] % 5](text);
  return 0;
}
