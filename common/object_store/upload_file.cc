// See transfer.h: one request, or start, parts side by side, end.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <span>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "common/base/log.h"
#include "common/base/sha256.h"
#include "common/object_store/transfer.h"
#include "common/storage/io_error.h"
#include "common/storage/temp_file.h"

namespace ip2p {
namespace {

constexpr int64_t kMostParts = 10'000;
constexpr int64_t kBlock = 1 << 20;

struct Source {
  int fd = -1;
  struct stat facts {};
  int64_t size() const { return facts.st_size; }
};

absl::StatusOr<Source> OpenSource(const std::string& path, const ObjectUrl& url) {
  Source source;
  source.fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (source.fd < 0) return IoError(errno, absl::StrCat("the file for ", url.text(), " cannot be read"));
  if (::fstat(source.fd, &source.facts) == 0 && S_ISREG(source.facts.st_mode)) return source;
  ::close(source.fd);
  return absl::InvalidArgumentError(absl::StrCat("what is to become ", url.text(), " is no regular file"));
}

bool Unchanged(const Source& source) {
  struct stat now {};
  return ::fstat(source.fd, &now) == 0 && now.st_size == source.size() &&
         now.st_mtim.tv_sec == source.facts.st_mtim.tv_sec &&
         now.st_mtim.tv_nsec == source.facts.st_mtim.tv_nsec;
}

absl::StatusOr<std::string> ReadBytes(const Source& source, int64_t begin, int64_t size) {
  std::string bytes(static_cast<size_t>(size), '\0');
  const absl::Status read = ReadFully(source.fd, begin, std::as_writable_bytes(std::span(bytes)));
  if (!read.ok()) return read;
  return bytes;
}

absl::StatusOr<std::string> Digest(const Source& source) {
  Sha256 digest;
  for (int64_t at = 0; at < source.size(); at += kBlock) {
    const absl::StatusOr<std::string> block = ReadBytes(source, at, std::min(kBlock, source.size() - at));
    if (!block.ok()) return block.status();
    digest.Update(*block);
  }
  return digest.Finish();
}

// One upload in parts: what its tasks share.
struct Upload {
  S3Client* client = nullptr;
  const Source* source = nullptr;
  ObjectUrl url;
  std::string id;
  int64_t part_bytes = 0;
  MovedBytes moved;
  CancelToken stop;  // one part's failure ends the others
  WaitGroup open;
  std::vector<UploadedPart> parts;
  absl::Status fault;
};

Task<void> SendPart(Upload* upload, size_t index) {
  const int64_t begin = static_cast<int64_t>(index) * upload->part_bytes;
  const int64_t size = std::min(upload->part_bytes, upload->source->size() - begin);
  absl::StatusOr<std::string> bytes = ReadBytes(*upload->source, begin, size);
  absl::StatusOr<UploadedPart> part = absl::UnknownError("not sent");
  if (bytes.ok()) {
    part = co_await upload->client->PutPart(upload->url, upload->id, static_cast<int>(index) + 1,
                                            *std::move(bytes), &upload->stop);
  } else {
    part = bytes.status();
  }
  if (part.ok()) {
    upload->parts[index] = *std::move(part);
    if (upload->moved) upload->moved(size);
  } else if (upload->fault.ok()) {
    upload->fault = part.status();
    upload->stop.Cancel();
  }
  upload->open.Done();
}

Task<absl::Status> SendParts(Upload* upload) {
  const int most = upload->client->settings().parallel;
  for (size_t i = 0; i < upload->parts.size() && upload->fault.ok(); ++i) {
    co_await upload->open.WaitUntil(most - 1);  // so that few parts are in memory
    if (!upload->fault.ok()) break;
    upload->open.Add();
    Spawn(SendPart(upload, i));
  }
  co_await upload->open.Wait();
  if (upload->fault.ok() && !Unchanged(*upload->source)) {
    upload->fault = absl::FailedPreconditionError(
        absl::StrCat("the file for ", upload->url.text(), " changed while it was read; wants one at rest"));
  }
  co_return upload->fault;
}

Task<absl::Status> UploadInParts(S3Client* client, const Source* source, ObjectUrl url, MovedBytes moved,
                                 CancelToken* cancel) {
  const absl::StatusOr<std::string> sha256 = Digest(*source);
  if (!sha256.ok()) co_return sha256.status();
  absl::StatusOr<std::string> id = co_await client->StartUpload(url, *sha256, cancel);
  if (!id.ok()) co_return id.status();
  Upload upload;
  upload.client = client;
  upload.source = source;
  upload.url = url;
  upload.id = *id;
  upload.moved = std::move(moved);
  upload.part_bytes = std::max(client->settings().part_bytes, (source->size() + kMostParts - 1) / kMostParts);
  upload.parts.resize(static_cast<size_t>((source->size() + upload.part_bytes - 1) / upload.part_bytes));
  absl::Status status;
  {
    const CancelToken::Callback on_cancel(cancel, [&upload] { upload.stop.Cancel(); });
    status = co_await SendParts(&upload);
  }
  if (status.ok()) status = co_await client->FinishUpload(url, *id, upload.parts, *sha256, cancel);
  if (status.ok()) co_return status;
  const absl::Status aborted = co_await client->AbortUpload(url, *id);
  if (!aborted.ok()) {
    Log(LogLevel::kWarning,
        "an upload that failed is not aborted; its parts stay until the bucket clears them",
        {{"url", url.text()}, {"status", aborted.ToString()}});
  }
  co_return status;
}

}  // namespace

Task<absl::Status> UploadFile(S3Client* client, std::string path, ObjectUrl url, MovedBytes moved,
                              CancelToken* cancel) {
  const absl::StatusOr<Source> source = OpenSource(path, url);
  if (!source.ok()) co_return source.status();
  const absl::Cleanup close = [&source] { ::close(source->fd); };
  if (source->size() > client->settings().part_bytes) {
    const absl::Status status = co_await UploadInParts(client, &*source, url, std::move(moved), cancel);
    co_return status;
  }
  absl::StatusOr<std::string> bytes = ReadBytes(*source, 0, source->size());
  if (!bytes.ok()) co_return bytes.status();
  PutCondition none;
  const absl::StatusOr<std::string> put = co_await client->Put(url, *std::move(bytes), none, cancel);
  if (put.ok() && moved) moved(source->size());
  co_return put.status();
}

}  // namespace ip2p
