// The two kinds of import sources. A row that cannot be used is a row with a fault; only the disk ends the
// reading.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/base/sha256.h"
#include "common/base/status_macros.h"
#include "common/dataset/dataset_reader.h"
#include "common/dataset/import_columns.h"
#include "common/dataset/json_text.h"
#include "common/dataset/line_reader.h"
#include "common/storage/io_error.h"
#include "common/storage/read_file.h"
#include "common/storage/tar.h"

namespace ip2p {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxLine = 1 << 20;
constexpr const char* kMetadata = "metadata.jsonl";

absl::StatusOr<int> OpenForReading(const std::string& path, const std::string& name) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return IoError(errno, absl::StrCat(name, " cannot be read"));
  return fd;
}

class ImageFolder final : public ImportSource {
 public:
  ImageFolder(fs::path folder, int fd, ImportColumns columns, std::string identity)
      : root_(std::move(folder)),
        fd_(fd),
        columns_(std::move(columns)),
        identity_(std::move(identity)),
        lines_(fd, kMetadata, kMaxLine) {}
  ~ImageFolder() override { ::close(fd_); }

  absl::StatusOr<bool> Next(ImportRow& row) override {
    row = {};
    FileLine line;
    IP2P_ASSIGN_OR_RETURN(const bool more, NextLine(line));
    if (!more) return false;
    absl::StatusOr<nlohmann::json> object = ParseJsonObject(line.text);
    if (line.too_long || !object.ok()) {
      row.fault = "the line of metadata.jsonl is no JSON object";
      return true;
    }
    std::string before;
    std::string after;
    TakeTexts(*object, columns_, row, before, after);
    IP2P_RETURN_IF_ERROR(Load(before, "before", row.before, row.fault));
    if (row.fault.empty()) IP2P_RETURN_IF_ERROR(Load(after, "after", row.after, row.fault));
    return true;
  }

  absl::StatusOr<bool> Skip() override {
    FileLine line;
    return NextLine(line);
  }
  std::string kind() const override { return "imagefolder"; }
  std::string identity() const override { return identity_; }

 private:
  // Empty lines are no rows.
  absl::StatusOr<bool> NextLine(FileLine& line) {
    while (true) {
      IP2P_ASSIGN_OR_RETURN(const bool more, lines_.Next(line));
      if (!more) return false;
      if (line.number == 1 && line.text.starts_with("\xEF\xBB\xBF")) line.text.remove_prefix(3);
      const absl::string_view text(line.text.data(), line.text.size());
      if (!absl::StripAsciiWhitespace(text).empty()) return true;
    }
  }

  // The file must lie in the folder, links followed.
  absl::Status Load(const std::string& name, const char* which, std::string& bytes,
                    std::string& fault) const {
    std::error_code error;
    const fs::path path = fs::canonical(root_ / name, error);
    if (name.empty() || error) {
      fault = absl::StrCat("the image ", which, " is missing");
      return absl::OkStatus();
    }
    const auto [end, rest] = std::mismatch(root_.begin(), root_.end(), path.begin(), path.end());
    if (end != root_.end()) {
      fault = absl::StrCat("the image ", which, " lies outside of the folder");
      return absl::OkStatus();
    }
    absl::StatusOr<std::string> read = ReadFile(path, "an image", kMaxImageBytes);
    if (absl::IsUnavailable(read.status())) return read.status();
    if (!read.ok()) fault = absl::StrCat("the image ", which, " cannot be read");
    if (read.ok()) bytes = *std::move(read);
    return absl::OkStatus();
  }

  const fs::path root_;  // without links
  const int fd_;
  const ImportColumns columns_;
  const std::string identity_;
  LineReader lines_;
};

// "a/b/0001.before.jpg" -> "a/b/0001" and "before.jpg".
std::pair<std::string, std::string> SplitKey(const std::string& name) {
  const size_t slash = name.rfind('/');
  const size_t dot = name.find('.', slash == std::string::npos ? 0 : slash + 1);
  if (dot == std::string::npos) return {name, ""};
  return {name.substr(0, dot), name.substr(dot + 1)};
}

class WebDataset final : public ImportSource {
 public:
  WebDataset(std::vector<std::string> shards, ImportColumns columns, std::string identity)
      : shards_(std::move(shards)), columns_(std::move(columns)), identity_(std::move(identity)) {}
  ~WebDataset() override { CloseShard(); }

  absl::StatusOr<bool> Next(ImportRow& row) override { return Take(&row); }
  absl::StatusOr<bool> Skip() override { return Take(nullptr); }
  std::string kind() const override { return "webdataset"; }
  std::string identity() const override { return identity_; }

 private:
  void CloseShard() {
    reader_.reset();
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }

  // The member that comes next, or null; a sample ends with its shard.
  absl::StatusOr<TarMember*> Peek() {
    while (!ahead_) {
      if (reader_ == nullptr) {
        if (at_ == shards_.size()) return nullptr;
        const std::string name = fs::path(shards_[at_]).filename().string();
        IP2P_ASSIGN_OR_RETURN(fd_, OpenForReading(shards_[at_++], name));
        reader_ = std::make_unique<TarReader>(fd_, name, kMaxImageBytes);
      }
      IP2P_ASSIGN_OR_RETURN(ahead_, reader_->Next(member_));
      if (!ahead_) CloseShard();
    }
    return &member_;
  }

  // Members in a row with one key are a sample.
  absl::StatusOr<bool> Take(ImportRow* row) {
    if (row != nullptr) *row = {};
    IP2P_ASSIGN_OR_RETURN(const TarMember* const first, Peek());
    if (first == nullptr) return false;
    const std::string key = SplitKey(first->name).first;
    const size_t shard = at_;
    while (true) {
      IP2P_ASSIGN_OR_RETURN(TarMember* const member, Peek());
      if (member == nullptr || at_ != shard) break;
      auto [own_key, ending] = SplitKey(member->name);
      if (own_key != key) break;
      if (row != nullptr) TakeMember(ending, *member, *row);
      ahead_ = false;
    }
    if (row == nullptr || !row->fault.empty()) return true;
    if (row->after.empty()) row->fault = "the image after is missing";
    if (row->before.empty()) row->fault = "the image before is missing";
    return true;
  }

  void TakeMember(const std::string& ending, TarMember& member, ImportRow& row) const {
    std::string& contents = member.contents;
    absl::string_view stem = ending;
    if (stem == "json") {
      if (member.too_large) row.fault = TooLarge("json");
      const absl::StatusOr<nlohmann::json> object = ParseJsonObject(contents);
      std::string ignored;  // names of images mean nothing within an archive
      if (object.ok()) TakeTexts(*object, columns_, row, ignored, ignored);
      return;
    }
    if (stem != "txt") absl::ConsumeSuffix(&stem, ".txt");
    for (const char* const image : {".jpg", ".jpeg", ".png", ".webp"}) absl::ConsumeSuffix(&stem, image);
    for (const RowPart part : PartsOf(std::string_view(stem.data(), stem.size()), columns_)) {
      if (member.too_large) row.fault = TooLarge(ending);
      if (part == RowPart::kEdit) row.edit = std::string(absl::StripAsciiWhitespace(contents));
      if (part == RowPart::kCaption) row.caption = std::string(absl::StripAsciiWhitespace(contents));
      if (part == RowPart::kOutput) row.output = std::string(absl::StripAsciiWhitespace(contents));
      if (part == RowPart::kBefore) row.before = contents;
      if (part == RowPart::kAfter) row.after = contents;
    }
  }

  static std::string TooLarge(absl::string_view part) {
    return absl::StrCat("its part ", part, " is over ", kMaxImageBytes, " bytes");
  }

  const std::vector<std::string> shards_;
  const ImportColumns columns_;
  const std::string identity_;
  size_t at_ = 0;
  int fd_ = -1;
  std::unique_ptr<TarReader> reader_;
  TarMember member_;
  bool ahead_ = false;
};

absl::StatusOr<std::unique_ptr<ImportSource>> OpenShards(std::vector<std::string> shards,
                                                         const ImportColumns& columns) {
  std::sort(shards.begin(), shards.end());
  Sha256 digest;
  for (const std::string& shard : shards) {
    std::error_code error;
    const uintmax_t size = fs::file_size(shard, error);
    if (error) return IoError(error.value(), "a shard cannot be looked at");
    digest.Update(absl::StrCat(fs::path(shard).filename().string(), " ", size, "\n"));
  }
  return std::make_unique<WebDataset>(std::move(shards), columns, digest.Finish());
}

absl::StatusOr<std::unique_ptr<ImportSource>> OpenImageFolder(const fs::path& folder,
                                                              const ImportColumns& columns) {
  std::error_code error;
  const fs::path root = fs::canonical(folder, error);
  if (error) return IoError(error.value(), "the folder cannot be looked at");
  IP2P_ASSIGN_OR_RETURN(const int fd, OpenForReading(root / kMetadata, kMetadata));
  Sha256 digest;
  std::string block(1 << 20, '\0');
  ssize_t got = 0;
  while ((got = ::read(fd, block.data(), block.size())) > 0) {
    digest.Update(std::string_view(block).substr(0, static_cast<size_t>(got)));
  }
  if (got < 0 || ::lseek(fd, 0, SEEK_SET) != 0) {
    const absl::Status fault = IoError(errno, "metadata.jsonl cannot be read");
    ::close(fd);
    return fault;
  }
  return std::make_unique<ImageFolder>(root, fd, columns, digest.Finish());
}

}  // namespace

absl::StatusOr<std::unique_ptr<ImportSource>> OpenImportSource(const std::string& path,
                                                               const ImportColumns& columns) {
  std::error_code error;
  const fs::path source(path);
  if (!fs::exists(source, error)) return absl::NotFoundError("the import's source does not exist");
  if (fs::is_regular_file(source, error) && source.extension() == ".tar") return OpenShards({path}, columns);
  for (const fs::path& folder : {source, source / "train"}) {
    if (fs::is_regular_file(folder / kMetadata, error)) return OpenImageFolder(folder, columns);
  }
  std::vector<std::string> shards;
  for (fs::directory_iterator it(source, error), end; !error && it != end; it.increment(error)) {
    if (it->path().extension() == ".tar") shards.push_back(it->path().string());
  }
  if (shards.empty()) {
    return absl::InvalidArgumentError(
        "the import's source is no dataset that is known here; wants a folder with "
        "metadata.jsonl, a folder of .tar files, or a .tar file");
  }
  return OpenShards(std::move(shards), columns);
}

}  // namespace ip2p
