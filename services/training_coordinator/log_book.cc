// A line is {"t":microseconds,"r":rank,"e":epoch,"x":"text"}. A torn last line, of a process that was killed,
// ends where the next append begins: it is passed over.
#include "services/training_coordinator/log_book.h"

#include <algorithm>
#include <deque>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"
#include "common/base/json.h"
#include "common/base/status_macros.h"
#include "common/storage/append_file.h"

namespace ip2p::training_coordinator {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr size_t kPieceBytes = 256 << 10;  // what may wait for a slow reader

std::string ToLine(const LogEntry& entry) {
  const Json json{
      {"t", absl::ToUnixMicros(entry.time)}, {"r", entry.rank}, {"e", entry.epoch}, {"x", entry.text}};
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::optional<LogEntry> FromLine(const std::string& line) {
  const Json json = Json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return std::nullopt;
  for (const char* key : {"t", "r", "e"}) {
    if (!json.contains(key) || !json[key].is_number_integer()) return std::nullopt;
  }
  if (!json.contains("x") || !json["x"].is_string()) return std::nullopt;
  return LogEntry{.time = absl::FromUnixMicros(json["t"].get<int64_t>()),
                  .rank = json["r"].get<int>(),
                  .epoch = json["e"].get<int64_t>(),
                  .text = json["x"].get<std::string>()};
}

// The next whole line of a file, its newline cut; false at the end or before a line without one.
bool NextLine(std::ifstream& file, std::string& line) {
  return static_cast<bool>(std::getline(file, line)) && !file.eof();
}

}  // namespace

std::string LogBook::Path(int64_t file) const {
  return absl::StrFormat("%s/lines-%06d.jsonl", folder_, file);
}

std::vector<int64_t> LogBook::Files() const {
  std::vector<int64_t> files;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder_, error)) {
    const std::string name = entry.path().filename().string();
    int64_t number = 0;
    if (absl::StartsWith(name, "lines-") && absl::EndsWith(name, ".jsonl") &&
        absl::SimpleAtoi(name.substr(6, name.size() - 12), &number)) {
      files.push_back(number);
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

absl::Status LogBook::Append(const std::vector<LogEntry>& lines) {
  std::string piece;
  for (const LogEntry& line : lines) piece += ToLine(line);
  absl::MutexLock lock(&mutex_);
  const std::vector<int64_t> files = Files();
  int64_t newest = files.empty() ? 1 : files.back();
  {
    IP2P_ASSIGN_OR_RETURN(AppendFile file, AppendFile::Open(Path(newest), "the job's log", false));
    if (file.size() < max_file_bytes_) return file.Append(piece);
  }
  IP2P_ASSIGN_OR_RETURN(AppendFile file, AppendFile::Open(Path(++newest), "the job's log", false));
  IP2P_RETURN_IF_ERROR(file.Append(piece));
  std::error_code ignored;
  for (const int64_t old : files) {
    if (old < newest - 1) fs::remove(Path(old), ignored);
  }
  return absl::OkStatus();
}

absl::StatusOr<LogPiece> LogBook::Read(LogPosition from, size_t limit, std::optional<int> rank) const {
  absl::MutexLock lock(&mutex_);
  LogPiece piece;
  piece.next = from;
  size_t bytes = 0;  // of the texts
  for (const int64_t number : Files()) {
    if (number < from.file) continue;
    const int64_t start = number == from.file ? from.offset : 0;
    std::ifstream file(Path(number), std::ios::binary);
    if (!file.seekg(start)) return absl::UnavailableError("the job's log can't be read");
    piece.next = {number, start};
    std::string line;
    while (NextLine(file, line)) {
      const std::optional<LogEntry> entry = FromLine(line);
      if (entry && (!rank || entry->rank == *rank)) {
        if (piece.lines.size() == limit || bytes >= kPieceBytes) {
          piece.more = true;
          return piece;
        }
        bytes += entry->text.size();
        piece.lines.push_back(*entry);
      }
      piece.next.offset += static_cast<int64_t>(line.size()) + 1;
    }
  }
  return piece;
}

absl::StatusOr<LogPosition> LogBook::Tail(int64_t lines, std::optional<int> rank) const {
  absl::MutexLock lock(&mutex_);
  std::deque<LogPosition> last;
  LogPosition end;
  for (const int64_t number : Files()) {
    end = {number, 0};
    std::ifstream file(Path(number), std::ios::binary);
    std::string line;
    while (NextLine(file, line)) {
      const std::optional<LogEntry> entry = FromLine(line);
      if (entry && (!rank || entry->rank == *rank)) last.push_back(end);
      if (static_cast<int64_t>(last.size()) > lines) last.pop_front();
      end.offset += static_cast<int64_t>(line.size()) + 1;
    }
  }
  return last.empty() ? end : last.front();
}

std::shared_ptr<LogBook> LogBooks::Of(const std::string& job_id, const std::string& folder) {
  absl::MutexLock lock(&mutex_);
  std::shared_ptr<LogBook>& book = books_[job_id];
  if (book == nullptr) book = std::make_shared<LogBook>(folder);
  return book;
}

void LogBooks::Forget(const std::string& job_id) {
  absl::MutexLock lock(&mutex_);
  books_.erase(job_id);
}

}  // namespace ip2p::training_coordinator
