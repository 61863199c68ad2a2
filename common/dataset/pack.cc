// Two passes over the folders: prompts, then pairs. What is finished stands in `.pack-progress.json`: the
// shards so far; the samples in them are the first ones, so the next one to write is known.
#include "common/dataset/pack.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/sha256.h"
#include "common/base/status_macros.h"
#include "common/dataset/dataset_reader.h"
#include "common/dataset/json_text.h"
#include "common/dataset/pack_index.h"
#include "common/dataset/partition_lock.h"
#include "common/dataset/partition_writer.h"
#include "common/dataset/shard_writer.h"
#include "common/storage/io_error.h"
#include "common/storage/make_folder.h"
#include "common/storage/read_file.h"

namespace ip2p {
namespace {

namespace fs = std::filesystem;

constexpr const char* kProgress = ".pack-progress.json";
constexpr std::array<const char*, 2> kDatasetFiles = {"run.json", "seeds.json"};
constexpr size_t kMaxIndexBytes = 64 << 20;
constexpr size_t kMaxFileBytes = 1 << 30;
constexpr int64_t kLeastShard = 10240;

// What a key can hold: its first dot ends it, and its first underscore ends the folder's part.
absl::Status CheckNames(const PromptRecord& record) {
  const auto plain = [](char c) { return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-'; };
  if (!std::all_of(record.folder.begin(), record.folder.end(), plain)) {
    return absl::InvalidArgumentError(
        absl::StrCat("folder ", record.folder, " cannot be packed; wants a name of letters, digits and -"));
  }
  for (const std::string& seed : record.pairs) {
    if (seed.find('.') != std::string::npos) {
      return absl::InvalidArgumentError(
          absl::StrCat("seed ", seed, " of folder ", record.folder, " holds a dot; wants none"));
    }
  }
  return absl::OkStatus();
}

class Packer {
 public:
  Packer(const DatasetReader& reader, std::string output, const PackOptions& options)
      : reader_(reader), output_(std::move(output)), options_(options) {}

  absl::StatusOr<PackReport> Pack() {
    IP2P_RETURN_IF_ERROR(ReadProgress());
    IP2P_RETURN_IF_ERROR(PackPrompts());
    IP2P_RETURN_IF_ERROR(PackPairs());
    IP2P_RETURN_IF_ERROR(WriteFileAtomically(In("index.json"), PackIndexText(index_)));
    ::unlink(In(kProgress).c_str());
    PackReport report{.prompts = static_cast<int64_t>(reader_.folders().size()), .pairs = index_.n_pairs()};
    for (const auto* shards : {&index_.pairs, &index_.prompts}) {
      report.shards += static_cast<int64_t>(shards->size());
      for (const Shard& shard : *shards) report.bytes += shard.bytes;
    }
    return report;
  }

 private:
  std::string In(const std::string& name) const { return absl::StrCat(output_, "/", name); }

  // Of what must be the same for shards of two runs to fit together: the shards' size, and all contents but
  // the images, which the scores tell.
  absl::StatusOr<std::string> PlanDigest() const {
    Sha256 digest;
    const auto add = [&digest](const std::string& text) {
      digest.Update(absl::StrCat(text.size(), "\n"));
      digest.Update(text);
    };
    add(absl::StrCat(options_.shard_bytes));
    for (const char* const name : kDatasetFiles) {
      IP2P_ASSIGN_OR_RETURN(const std::optional<std::string> text, DatasetFile(name));
      add(text.value_or("absent"));
    }
    for (const std::string& folder : reader_.folders()) {
      IP2P_ASSIGN_OR_RETURN(const PromptRecord record, reader_.ReadPrompt(folder));
      add(folder);
      add(record.prompt_json);
      add(absl::StrJoin(record.pairs, "/"));
      for (const char* const name : {"metadata.jsonl", "scores.jsonl"}) {
        // One that cannot be read ends the run later, by its name.
        add(reader_.ReadFileOf(folder, name, kMaxFileBytes).value_or("absent"));
      }
    }
    return digest.Finish();
  }

  absl::StatusOr<std::optional<std::string>> DatasetFile(const std::string& name) const {
    absl::StatusOr<std::string> text = ReadFile(absl::StrCat(reader_.path(), "/", name), name, kMaxFileBytes);
    if (absl::IsNotFound(text.status())) return std::nullopt;
    if (!text.ok()) return text.status();
    return *std::move(text);
  }

  absl::Status ReadProgress() {
    IP2P_ASSIGN_OR_RETURN(plan_, PlanDigest());
    const absl::StatusOr<std::string> text = ReadFile(In(kProgress), "the pack's progress", kMaxIndexBytes);
    if (absl::IsNotFound(text.status())) return absl::OkStatus();
    if (!text.ok()) return text.status();
    IP2P_ASSIGN_OR_RETURN(const nlohmann::json object, ParseJsonObject(*text));
    if (TextOr(object, "plan").value_or("") != plan_) {
      return absl::FailedPreconditionError(
          "the output holds an unfinished pack of another dataset, an earlier state of it, or another shard "
          "size; wants a new folder");
    }
    IP2P_ASSIGN_OR_RETURN(index_, ParsePackIndex(TextOr(object, "index").value_or("")));
    return absl::OkStatus();
  }

  absl::Status WriteProgress() {
    const nlohmann::ordered_json object = {{"plan", plan_}, {"index", PackIndexText(index_)}};
    return WriteFileAtomically(In(kProgress), object.dump() + "\n");
  }

  // Sample 0 is the dataset's own files, then a folder each.
  absl::Status PackPrompts() {
    ShardWriter writer(output_, "prompts", options_.shard_bytes, index_.prompts, [this](const auto& shards) {
      index_.prompts = shards;
      return WriteProgress();
    });
    const int64_t done = writer.published_samples();
    if (done == 0) IP2P_RETURN_IF_ERROR(AddDatasetFiles(writer));
    for (int64_t i = std::max<int64_t>(done - 1, 0); i < Folders(); ++i) {
      IP2P_ASSIGN_OR_RETURN(const PromptRecord record, reader_.ReadPrompt(Folder(i)));
      IP2P_RETURN_IF_ERROR(CheckNames(record));
      IP2P_RETURN_IF_ERROR(AddPromptFiles(record, writer));
      Tell(i + 1);
    }
    IP2P_RETURN_IF_ERROR(writer.Finish());
    return absl::OkStatus();
  }

  absl::Status AddDatasetFiles(ShardWriter& writer) {
    std::vector<Member> members;
    for (const char* const name : kDatasetFiles) {
      IP2P_ASSIGN_OR_RETURN(std::optional<std::string> text, DatasetFile(name));
      if (text.has_value()) members.emplace_back(name, *std::move(text));
    }
    return writer.Add(members);
  }

  // All regular files but those of whole pairs.
  absl::Status AddPromptFiles(const PromptRecord& record, ShardWriter& writer) {
    std::vector<std::string> names;
    std::error_code error;
    const std::string path = absl::StrCat(reader_.path(), "/", record.folder);
    for (fs::directory_iterator it(path, error), end; !error && it != end; it.increment(error)) {
      std::error_code ignored;
      if (it->is_regular_file(ignored)) names.push_back(it->path().filename().string());
    }
    if (error) return IoError(error.value(), absl::StrCat(record.folder, " cannot be listed"));
    std::sort(names.begin(), names.end());
    std::vector<Member> members = {{absl::StrCat(record.folder, "/"), ""}};  // it is there, even when empty
    for (const std::string& name : names) {
      const bool image = name.ends_with("_0.jpg") || name.ends_with("_1.jpg");
      const std::string seed = image ? name.substr(0, name.size() - 6) : "";
      if (image && std::find(record.pairs.begin(), record.pairs.end(), seed) != record.pairs.end()) continue;
      if (std::find(record.outside.begin(), record.outside.end(), name) != record.outside.end()) continue;
      IP2P_ASSIGN_OR_RETURN(std::string text, reader_.ReadFileOf(record.folder, name, kMaxFileBytes));
      members.emplace_back(absl::StrCat(record.folder, "/", name), std::move(text));
    }
    return writer.Add(members);
  }

  absl::Status PackPairs() {
    ShardWriter writer(output_, "pairs", options_.shard_bytes, index_.pairs, [this](const auto& shards) {
      index_.pairs = shards;
      return WriteProgress();
    });
    int64_t left = writer.published_samples();  // to pass over: they are packed
    for (int64_t i = 0; i < Folders(); ++i) {
      IP2P_ASSIGN_OR_RETURN(const PromptRecord record, reader_.ReadPrompt(Folder(i)));
      for (const std::string& seed : record.pairs) {
        if (left-- > 0) continue;
        IP2P_RETURN_IF_ERROR(AddPair(record, seed, writer));
      }
      Tell(i + 1);
    }
    return writer.Finish();
  }

  absl::Status AddPair(const PromptRecord& record, const std::string& seed, ShardWriter& writer) {
    const std::string key = absl::StrCat(record.folder, "_", seed);
    IP2P_ASSIGN_OR_RETURN(std::string before, reader_.ReadFileOf(record.folder, seed + "_0.jpg"));
    IP2P_ASSIGN_OR_RETURN(std::string after, reader_.ReadFileOf(record.folder, seed + "_1.jpg"));
    return writer.Add({{key + ".before.jpg", std::move(before)},
                       {key + ".after.jpg", std::move(after)},
                       {key + ".json", PairJson(record, seed)}});
  }

  // What a trainer needs of a pair, without looking elsewhere.
  static std::string PairJson(const PromptRecord& record, const std::string& seed) {
    nlohmann::ordered_json out;
    out["edit"] = record.edit;
    out["caption"] = record.caption;
    out["output"] = record.output;
    for (const Sample& sample : record.samples) {
      if (!sample.kept || absl::StrCat(sample.seed) != seed) continue;
      out.update(nlohmann::ordered_json::parse(MetadataLine(sample), nullptr, /*allow_exceptions=*/false));
      break;
    }
    return out.dump(-1, ' ', /*ensure_ascii=*/false, nlohmann::json::error_handler_t::replace) + "\n";
  }

  int64_t Folders() const { return static_cast<int64_t>(reader_.folders().size()); }
  const std::string& Folder(int64_t i) const { return reader_.folders()[static_cast<size_t>(i)]; }
  void Tell(int64_t folders) {
    if (options_.progress) options_.progress(folders, Folders());
  }

  const DatasetReader& reader_;
  const std::string output_;
  const PackOptions& options_;
  std::string plan_;
  PackIndex index_;  // of what is published
};

}  // namespace

absl::StatusOr<PackReport> PackDataset(const std::string& dataset, const std::string& output,
                                       const PackOptions& options) {
  if (options.shard_bytes < kLeastShard) {
    return absl::InvalidArgumentError(
        absl::StrCat("shard size is ", options.shard_bytes, " bytes; wants at least ", kLeastShard));
  }
  IP2P_ASSIGN_OR_RETURN(const DatasetReader reader, DatasetReader::Open(dataset));
  std::error_code error;
  IP2P_RETURN_IF_ERROR(MakeFolder(output, "the output folder"));
  IP2P_ASSIGN_OR_RETURN(const int lock, LockWhole(output));
  const absl::Cleanup unlock = [lock] { ::close(lock); };
  if (fs::exists(absl::StrCat(output, "/index.json"), error)) {
    return absl::AlreadyExistsError("the output holds a finished pack; wants a new folder");
  }
  IP2P_RETURN_IF_ERROR(RemoveStale(output, kAllPrompts));
  absl::StatusOr<PackReport> report = Packer(reader, output, options).Pack();
  // Whoever waits for the lock finds the index.
  if (report.ok()) ::unlink(absl::StrCat(output, "/.lock").c_str());
  return report;
}

}  // namespace ip2p
