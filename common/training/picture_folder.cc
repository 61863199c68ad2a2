// See picture_folder.h.
#include "common/training/picture_folder.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
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

struct Picture {
  std::string file;
  std::string caption;
};

class PictureFolder final : public ExampleSource {
 public:
  PictureFolder(std::string root, std::vector<Picture> pictures)
      : root_(std::move(root)), pictures_(std::move(pictures)) {}

  int64_t size() const override { return static_cast<int64_t>(pictures_.size()); }

  absl::StatusOr<RawExample> Get(int64_t i, uint64_t) const override {
    const Picture& picture = pictures_.at(i);
    std::error_code error;
    const fs::path file = fs::canonical(fs::path(root_) / picture.file, error);
    if (error) return absl::NotFoundError(absl::StrCat(picture.file, " is missing"));
    if (!file.string().starts_with(root_ + "/"))
      return absl::InvalidArgumentError(absl::StrCat(picture.file, " leaves the folder"));
    IP2P_ASSIGN_OR_RETURN(std::string bytes, ReadFile(file.string(), picture.file, kMaxImageBytes));
    return RawExample{.after = std::move(bytes), .text = picture.caption};
  }

 private:
  const std::string root_;  // without links
  const std::vector<Picture> pictures_;
};

bool StaysInside(const std::string& name) {
  for (const absl::string_view part : absl::StrSplit(name, '/')) {
    if (!IsPlainName({part.data(), part.size()})) return false;
  }
  return true;
}

absl::StatusOr<Picture> PictureOf(const FileLine& line) {
  if (line.too_long) return absl::InvalidArgumentError("the line is too long");
  IP2P_ASSIGN_OR_RETURN(const nlohmann::json json, ParseJsonObject(line.text));
  Picture picture;
  IP2P_ASSIGN_OR_RETURN(picture.file, TextOr(json, "file_name"));
  IP2P_ASSIGN_OR_RETURN(picture.caption, TextOr(json, json.contains("caption") ? "caption" : "text"));
  if (!StaysInside(picture.file)) return absl::InvalidArgumentError("file_name leaves the folder");
  return picture;
}

}  // namespace

absl::StatusOr<std::unique_ptr<const ExampleSource>> OpenPictureFolder(const std::string& path, Split split) {
  const int fd = ::open(absl::StrCat(path, "/metadata.jsonl").c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return IoError(errno, "metadata.jsonl cannot be read");
  const absl::Cleanup close = [fd] { ::close(fd); };
  LineReader reader(fd, "metadata.jsonl", kMaxLine);
  std::vector<Picture> pictures;
  int64_t lines = 0, faulty = 0;
  FileLine line;
  while (true) {
    IP2P_ASSIGN_OR_RETURN(const bool more, reader.Next(line));
    if (!more) break;
    ++lines;
    absl::StatusOr<Picture> picture = PictureOf(line);
    if (picture.ok()) {
      pictures.push_back(*std::move(picture));
    } else {
      ++faulty;
    }
  }
  if (faulty * 1000 > lines)
    return absl::FailedPreconditionError(
        absl::StrCat(faulty, " of ", lines, " lines of metadata.jsonl are damaged; wants at most 0.1 %"));
  const SplitRange range = RangeOf(split, static_cast<int64_t>(pictures.size()));
  std::error_code error;
  const fs::path root = fs::canonical(path, error);
  if (error) return absl::NotFoundError("the dataset is missing");
  return std::make_unique<PictureFolder>(
      root.string(), std::vector<Picture>(std::make_move_iterator(pictures.begin() + range.begin),
                                          std::make_move_iterator(pictures.begin() + range.end)));
}

}  // namespace ip2p
