// See picture_list.h.
#include "common/dataset/picture_list.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/base/sha256.h"
#include "common/base/status_macros.h"
#include "common/dataset/dataset_reader.h"
#include "common/dataset/json_text.h"
#include "common/dataset/line_reader.h"
#include "common/storage/io_error.h"
#include "common/storage/read_file.h"

namespace ip2p {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxLine = 1 << 20;

bool StaysInside(const std::string& name) {
  for (const absl::string_view part : absl::StrSplit(name, '/')) {
    if (!IsPlainName({part.data(), part.size()})) return false;
  }
  return true;
}

absl::StatusOr<CaptionedPicture> PictureOf(const FileLine& line) {
  if (line.too_long) return absl::InvalidArgumentError("the line is too long");
  IP2P_ASSIGN_OR_RETURN(const nlohmann::json json, ParseJsonObject(line.text));
  CaptionedPicture picture;
  IP2P_ASSIGN_OR_RETURN(picture.file, TextOr(json, "file_name"));
  IP2P_ASSIGN_OR_RETURN(picture.caption, TextOr(json, json.contains("caption") ? "caption" : "text"));
  if (!StaysInside(picture.file)) return absl::InvalidArgumentError("file_name leaves the folder");
  return picture;
}

}  // namespace

absl::StatusOr<PictureList> PictureList::Read(const std::string& folder) {
  const int fd = ::open(absl::StrCat(folder, "/metadata.jsonl").c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return IoError(errno, "metadata.jsonl cannot be read");
  const absl::Cleanup close = [fd] { ::close(fd); };
  LineReader reader(fd, "metadata.jsonl", kMaxLine);
  PictureList list;
  Sha256 digest;
  int64_t lines = 0, faulty = 0;
  FileLine line;
  while (true) {
    IP2P_ASSIGN_OR_RETURN(const bool more, reader.Next(line));
    if (!more) break;
    ++lines;
    digest.Update(line.text);
    digest.Update("\n");
    absl::StatusOr<CaptionedPicture> picture = PictureOf(line);
    if (picture.ok()) {
      list.pictures_.push_back(*std::move(picture));
    } else {
      ++faulty;
    }
  }
  if (faulty * 1000 > lines) {
    return absl::FailedPreconditionError(
        absl::StrCat(faulty, " of ", lines, " lines of metadata.jsonl are damaged; wants at most 0.1 %"));
  }
  std::error_code error;
  const fs::path root = fs::canonical(folder, error);
  if (error) return absl::NotFoundError("the folder of the pictures is missing");
  list.root_ = root.string();
  list.sha256_ = digest.Finish();
  return list;
}

absl::StatusOr<std::string> PictureList::BytesOf(const CaptionedPicture& picture) const {
  std::error_code error;
  const fs::path file = fs::canonical(fs::path(root_) / picture.file, error);
  if (error) return absl::NotFoundError(absl::StrCat(picture.file, " is missing"));
  if (!file.string().starts_with(root_ + "/"))
    return absl::InvalidArgumentError(absl::StrCat(picture.file, " leaves the folder"));
  return ReadFile(file.string(), picture.file, kMaxImageBytes);
}

}  // namespace ip2p
