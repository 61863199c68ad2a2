// Pairs of a pack: the headers of its shards are read once, members by their place. See pair_sources.h.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <map>
#include <span>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/dataset/dataset_reader.h"
#include "common/dataset/json_text.h"
#include "common/dataset/pack_index.h"
#include "common/storage/io_error.h"
#include "common/storage/read_file.h"
#include "common/storage/tar.h"
#include "common/storage/temp_file.h"
#include "common/training/pair_sources.h"

namespace ip2p {
namespace {

constexpr size_t kMaxIndexBytes = 64 << 20;

struct Piece {
  int shard = -1;  // none yet
  int64_t offset = 0;
  int64_t size = 0;
};

struct PackedPair {
  Piece before, after, json;
  bool whole() const { return before.shard >= 0 && after.shard >= 0 && json.shard >= 0; }
};

absl::StatusOr<int> OpenShard(const std::string& path, const std::string& name) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return IoError(errno, absl::StrCat(name, " cannot be read"));
  return fd;
}

class PairPack final : public PairSource {
 public:
  ~PairPack() override {
    for (const int fd : fds_) ::close(fd);
  }

  absl::Status AddShard(const std::string& path, const std::string& name) {
    IP2P_ASSIGN_OR_RETURN(const int fd, OpenShard(path, name));
    fds_.push_back(fd);
    TarReader reader(fd, name, kMaxImageBytes);
    TarMember member;
    while (true) {
      IP2P_ASSIGN_OR_RETURN(const bool more, reader.Next(member, /*with_contents=*/false));
      if (!more) return absl::OkStatus();
      AddMember(member);
    }
  }

  // Prompts in the order of their folders' names, which is that of seeds.json; then only those of the split.
  void Finish(Split split) {
    for (auto& [folder, pairs] : found_) {
      std::vector<PackedPair> whole;
      for (const auto& [key, pair] : pairs) {
        if (pair.whole()) whole.push_back(pair);
      }
      if (!whole.empty()) prompts_.push_back(std::move(whole));
    }
    found_.clear();
    const SplitRange range = RangeOf(split, static_cast<int64_t>(prompts_.size()));
    prompts_ = {std::make_move_iterator(prompts_.begin() + range.begin),
                std::make_move_iterator(prompts_.begin() + range.end)};
  }

  int64_t size() const override { return static_cast<int64_t>(prompts_.size()); }
  int64_t choices(int64_t prompt) const override { return static_cast<int64_t>(prompts_.at(prompt).size()); }

  absl::StatusOr<RawPair> Get(int64_t prompt, uint64_t choice) const override {
    const std::vector<PackedPair>& pairs = prompts_.at(prompt);
    const PackedPair& packed = pairs[choice % pairs.size()];
    RawPair pair;
    IP2P_ASSIGN_OR_RETURN(const std::string text, Read(packed.json));
    IP2P_ASSIGN_OR_RETURN(const nlohmann::json json, ParseJsonObject(text));
    IP2P_ASSIGN_OR_RETURN(pair.edit, TextOr(json, "edit"));
    IP2P_ASSIGN_OR_RETURN(pair.output, TextOr(json, "output"));
    IP2P_ASSIGN_OR_RETURN(pair.caption, TextOr(json, "caption"));
    IP2P_ASSIGN_OR_RETURN(pair.before, Read(packed.before));
    IP2P_ASSIGN_OR_RETURN(pair.after, Read(packed.after));
    return pair;
  }

 private:
  // KEY.before.jpg, KEY.after.jpg, KEY.json with KEY = FOLDER_SEED.
  void AddMember(const TarMember& member) {
    const std::string key = member.name.substr(0, member.name.find('.'));
    PackedPair& pair = found_[key.substr(0, key.find('_'))][key];
    const Piece piece{
        .shard = static_cast<int>(fds_.size()) - 1, .offset = member.offset, .size = member.size};
    if (absl::EndsWith(member.name, ".before.jpg")) pair.before = piece;
    if (absl::EndsWith(member.name, ".after.jpg")) pair.after = piece;
    if (absl::EndsWith(member.name, ".json")) pair.json = piece;
  }

  absl::StatusOr<std::string> Read(const Piece& piece) const {
    if (piece.size > static_cast<int64_t>(kMaxImageBytes))
      return absl::ResourceExhaustedError(absl::StrCat("a member of the pack is ", piece.size, " bytes"));
    std::string bytes(piece.size, '\0');
    IP2P_RETURN_IF_ERROR(
        ReadFully(fds_[piece.shard], piece.offset, std::as_writable_bytes(std::span(bytes))));
    return bytes;
  }

  std::vector<int> fds_;
  std::map<std::string, std::map<std::string, PackedPair>> found_;  // until Finish
  std::vector<std::vector<PackedPair>> prompts_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<const PairSource>> OpenPairPack(const std::string& path, Split split) {
  IP2P_ASSIGN_OR_RETURN(const std::string text,
                        ReadFile(absl::StrCat(path, "/index.json"), "index.json", kMaxIndexBytes));
  IP2P_ASSIGN_OR_RETURN(const PackIndex index, ParsePackIndex(text));
  auto pack = std::make_unique<PairPack>();
  for (const Shard& shard : index.pairs)
    IP2P_RETURN_IF_ERROR(pack->AddShard(absl::StrCat(path, "/", shard.name), shard.name));
  pack->Finish(split);
  return pack;
}

}  // namespace ip2p
