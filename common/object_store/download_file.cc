// See transfer.h. Parts are asked for side by side and written in their order, so that what is on the disk is
// always the object's beginning, and its checksum goes along.
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <filesystem>
#include <memory>
#include <span>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/sha256.h"
#include "common/object_store/transfer.h"
#include "common/storage/append_file.h"
#include "common/storage/io_error.h"
#include "common/storage/temp_file.h"

namespace ip2p {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kBlock = 1 << 20;

struct Part {
  int64_t begin = 0;
  int64_t size = 0;
  absl::StatusOr<std::string> bytes = absl::UnknownError("not there yet");
  Event over;
};

struct Download {
  S3Client* client = nullptr;
  ObjectUrl url;
  std::string etag;
  CancelToken stop;
  WaitGroup open;
};

Task<void> FetchPart(Download* download, Part* part) {
  part->bytes = co_await download->client->GetPart(download->url, download->etag, part->begin, part->size,
                                                   &download->stop);
  part->over.Set();  // its waiter may free the part
  download->open.Done();
}

absl::Status ReadKept(const AppendFile& file, ChecksumVerifier& verifier) {
  for (int64_t at = 0; at < file.size(); at += kBlock) {
    std::string block(static_cast<size_t>(std::min(kBlock, file.size() - at)), '\0');
    const absl::Status read = ReadFully(file.fd(), at, std::as_writable_bytes(std::span(block)));
    if (!read.ok()) return read;
    verifier.Update(block);
  }
  return absl::OkStatus();
}

Task<absl::Status> FetchRest(Download* download, const ObjectFacts* facts, AppendFile* file,
                             ChecksumVerifier* verifier, MovedBytes moved) {
  const S3Client& client = *download->client;
  std::deque<std::unique_ptr<Part>> ahead;
  int64_t asked = file->size();
  absl::Status status;
  while (status.ok() && file->size() < facts->size) {
    while (asked < facts->size && static_cast<int>(ahead.size()) < client.settings().parallel) {
      auto part = std::make_unique<Part>();
      part->begin = asked;
      part->size = std::min(client.settings().part_bytes, facts->size - asked);
      asked += part->size;
      ahead.push_back(std::move(part));
      download->open.Add();
      Spawn(FetchPart(download, ahead.back().get()));
    }
    co_await ahead.front()->over;
    Part& part = *ahead.front();
    status = part.bytes.status();
    if (status.ok()) status = file->Append(*part.bytes);
    if (status.ok()) verifier->Update(*part.bytes);
    if (status.ok() && moved) moved(part.size);
    ahead.pop_front();
  }
  download->stop.Cancel();
  co_await download->open.Wait();
  co_return status;
}

absl::Status Publish(AppendFile& file, const std::string& temporary, const std::string& path) {
  absl::Status synced = file.Sync();
  if (!synced.ok()) return synced;
  if (::rename(temporary.c_str(), path.c_str()) != 0)
    return IoError(errno, "a file cannot be renamed into place");
  return absl::OkStatus();
}

}  // namespace

Task<absl::Status> DownloadFile(S3Client* client, ObjectUrl url, std::string path, MovedBytes moved,
                                CancelToken* cancel) {
  const absl::StatusOr<ObjectFacts> facts = co_await client->Head(url, cancel);
  if (!facts.ok()) co_return facts.status();
  const std::string digest =
      Sha256Hex(absl::StrCat(url.text(), "\n", facts->etag, "\n", fs::path(path).filename().string()));
  const std::string temporary =
      (fs::path(path).parent_path() / absl::StrCat(".tmp-part-", digest.substr(0, 16))).string();
  absl::StatusOr<AppendFile> file =
      AppendFile::Open(temporary, absl::StrCat("the local copy of ", url.text()), /*exclusive=*/true);
  if (!file.ok()) co_return file.status();
  // What a machine that went down left can only be told by a checksum.
  if (file->size() > facts->size || facts->checksums.empty()) {
    const absl::Status cut = file->Truncate(0);
    if (!cut.ok()) co_return cut;
  }
  ChecksumVerifier verifier(facts->checksums);
  absl::Status status = ReadKept(*file, verifier);
  if (!status.ok()) co_return status;
  Download download;
  download.client = client;
  download.url = url;
  download.etag = facts->etag;
  {
    const CancelToken::Callback on_cancel(cancel, [&download] { download.stop.Cancel(); });
    status = co_await FetchRest(&download, &*facts, &*file, &verifier, std::move(moved));
  }
  if (!status.ok()) co_return status;
  status = verifier.Finish();
  if (!status.ok()) {
    ::unlink(temporary.c_str());  // nothing of it can be trusted
    co_return absl::Status(status.code(), absl::StrCat(url.text(), ": ", status.message()));
  }
  co_return Publish(*file, temporary, path);
}

}  // namespace ip2p
