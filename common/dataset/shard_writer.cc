#include "common/dataset/shard_writer.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/status_macros.h"

namespace ip2p {
namespace {

constexpr int64_t kEndBytes = 1024;  // the two empty blocks

}  // namespace

ShardWriter::ShardWriter(std::string folder, std::string prefix, int64_t shard_bytes, std::vector<Shard> done,
                         std::function<absl::Status(const std::vector<Shard>&)> published)
    : folder_(std::move(folder)),
      prefix_(std::move(prefix)),
      shard_bytes_(shard_bytes),
      published_(std::move(published)),
      shards_(std::move(done)) {
  for (const Shard& shard : shards_) published_samples_ += shard.samples;
}

absl::Status ShardWriter::Start() {
  const std::string name = absl::StrFormat("%s-%06d.tar", prefix_, shards_.size());
  IP2P_ASSIGN_OR_RETURN(AtomicFile file, AtomicFile::Create(absl::StrCat(folder_, "/", name)));
  open_.emplace(Open{.file = std::move(file)});
  return absl::OkStatus();
}

absl::Status ShardWriter::Put(std::string_view bytes) {
  open_->digest.Update(bytes);
  open_->bytes += static_cast<int64_t>(bytes.size());
  return open_->file.Write(bytes);
}

absl::Status ShardWriter::Add(const std::vector<Member>& members) {
  int64_t size = 0;
  for (const auto& [name, contents] : members) {
    size += TarWriter::BytesOf(name, static_cast<int64_t>(contents.size()));
  }
  if (open_.has_value() && open_->bytes + size + kEndBytes > shard_bytes_) IP2P_RETURN_IF_ERROR(Close());
  if (!open_.has_value()) IP2P_RETURN_IF_ERROR(Start());
  TarWriter tar([this](std::string_view bytes) { return Put(bytes); });
  for (const auto& [name, contents] : members) IP2P_RETURN_IF_ERROR(tar.Add(name, contents));
  ++open_->samples;
  return absl::OkStatus();
}

absl::Status ShardWriter::Close() {
  TarWriter tar([this](std::string_view bytes) { return Put(bytes); });
  IP2P_RETURN_IF_ERROR(tar.Finish());
  IP2P_RETURN_IF_ERROR(open_->file.Publish());
  shards_.push_back({.name = absl::StrFormat("%s-%06d.tar", prefix_, shards_.size()),
                     .samples = open_->samples,
                     .bytes = open_->bytes,
                     .sha256 = open_->digest.Finish()});
  published_samples_ += open_->samples;
  open_.reset();
  return published_(shards_);
}

absl::Status ShardWriter::Finish() { return open_.has_value() ? Close() : absl::OkStatus(); }

}  // namespace ip2p
