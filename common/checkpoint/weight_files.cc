#include "common/checkpoint/weight_files.h"

#include <filesystem>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/json.h"
#include "common/base/status_macros.h"
#include "common/checkpoint/ckpt.h"
#include "common/checkpoint/safetensors.h"
#include "common/checkpoint/text_quote.h"
#include "common/storage/mapped_file.h"

namespace ip2p {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr size_t kMaxIndexBytes = 64 << 20;

bool Exists(const fs::path& path) {
  std::error_code error;
  return fs::exists(path, error);
}

// A shard lies beside its index: a name that leads elsewhere is refused.
bool IsPlainFileName(std::string_view name) {
  return !name.empty() && name != "." && name != ".." &&
         name.find_first_of(std::string_view("/\\\0", 3)) == name.npos;
}

absl::StatusOr<TensorMap> ReadShards(const fs::path& folder, const std::string& part,
                                     const std::string& index_name) {
  const std::string label = absl::StrCat(part, "/", index_name);
  IP2P_ASSIGN_OR_RETURN(const std::string text,
                        ReadTextFile((folder / index_name).string(), label, kMaxIndexBytes));
  const json index = json::parse(text, nullptr, false);
  if (!index.is_object() || !index.contains("weight_map") || !index.at("weight_map").is_object()) {
    return absl::DataLossError(absl::StrCat(label, " is not an index; wants a JSON object with weight_map"));
  }
  std::set<std::string> shards;
  size_t listed = 0;
  for (const auto& [tensor, shard] : index.at("weight_map").items()) {
    if (!shard.is_string() || !IsPlainFileName(shard.get_ref<const std::string&>())) {
      return absl::DataLossError(absl::StrCat(label, " places ", Quoted(tensor), " in no plain file name"));
    }
    shards.insert(shard.get<std::string>());
    ++listed;
  }
  TensorMap all;
  for (const std::string& shard : shards) {
    const std::string shard_label = absl::StrCat(part, "/", shard);
    IP2P_ASSIGN_OR_RETURN(SafetensorsFile file, ReadSafetensors((folder / shard).string(), shard_label));
    for (auto& [tensor, view] : file.tensors) {
      const auto place = index.at("weight_map").find(tensor);
      if (place == index.at("weight_map").end() || *place != shard) {
        return absl::DataLossError(
            absl::StrCat(shard_label, " has ", Quoted(tensor), ", which the index places elsewhere"));
      }
      all.emplace(tensor, std::move(view));
    }
  }
  if (all.size() != listed) {
    return absl::DataLossError(
        absl::StrCat(label, " lists ", listed, " tensors but the shards have ", all.size()));
  }
  return all;
}

}  // namespace

absl::StatusOr<TensorMap> ReadWeights(const std::string& folder, const std::string& part,
                                      const std::string& stem, const std::string& bin_stem) {
  const fs::path base = fs::path(folder) / part;
  for (const char* variant : {"", ".fp16"}) {
    const std::string whole = absl::StrCat(stem, variant, ".safetensors");
    if (Exists(base / whole)) {
      IP2P_ASSIGN_OR_RETURN(SafetensorsFile file,
                            ReadSafetensors((base / whole).string(), absl::StrCat(part, "/", whole)));
      return std::move(file.tensors);
    }
    const std::string index = absl::StrCat(stem, ".safetensors.index", variant, ".json");
    if (Exists(base / index)) return ReadShards(base, part, index);
  }
  for (const char* variant : {"", ".fp16"}) {
    const std::string torch = absl::StrCat(bin_stem, variant, ".bin");
    if (!Exists(base / torch)) continue;
    IP2P_ASSIGN_OR_RETURN(TorchFile file,
                          ReadTorchFile((base / torch).string(), absl::StrCat(part, "/", torch)));
    return std::move(file.tensors);
  }
  return absl::NotFoundError(absl::StrCat(part, "/", stem, ".safetensors does not exist"));
}

}  // namespace ip2p
