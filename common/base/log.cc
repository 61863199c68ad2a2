// A line is built in memory and written by one write(2), so lines of several threads never mix.
#include "common/base/log.h"

#include <unistd.h>

#include <atomic>
#include <cmath>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/base/json.h"

namespace ip2p {
namespace {

std::atomic<LogLevel> minimum = LogLevel::kInfo;

struct Sink {
  absl::Mutex mutex;
  std::function<void(std::string_view)> write ABSL_GUARDED_BY(mutex);
};

Sink& GlobalSink() {
  static Sink* const sink = new Sink;  // never destroyed: threads may log while the process ends
  return *sink;
}

const char* LevelName(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarning:
      return "warning";
    case LogLevel::kError:
      return "error";
  }
  return "unknown";
}

std::string Quoted(std::string_view text) {
  return nlohmann::json(text).dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
}

std::string ValueText(const LogField::Value& value) {
  if (const auto* text = std::get_if<std::string_view>(&value)) return Quoted(*text);
  if (const auto* whole = std::get_if<int64_t>(&value)) return absl::StrCat(*whole);
  if (const auto* number = std::get_if<double>(&value)) {
    return std::isfinite(*number) ? absl::StrCat(*number) : Quoted(absl::StrCat(*number));  // JSON has no NaN
  }
  return std::get<bool>(value) ? "true" : "false";
}

}  // namespace

void Log(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) {
  if (level < minimum.load(std::memory_order_relaxed)) return;
  std::string line =
      absl::StrCat("{\"time\":\"", absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", absl::Now(), absl::UTCTimeZone()),
                   "\",\"level\":\"", LevelName(level), "\",\"event\":", Quoted(event));
  for (const LogField& field : fields) {
    absl::StrAppend(&line, ",", Quoted(field.name), ":", ValueText(field.value));
  }
  absl::StrAppend(&line, "}");

  Sink& sink = GlobalSink();
  absl::MutexLock lock(&sink.mutex);
  if (sink.write) {
    sink.write(line);
    return;
  }
  line += '\n';
  const char* next = line.data();
  size_t left = line.size();
  while (left > 0) {
    const ssize_t written = ::write(STDERR_FILENO, next, left);
    if (written <= 0) return;  // nobody listens: the server goes on
    next += written;
    left -= static_cast<size_t>(written);
  }
}

void SetLogLevel(LogLevel level) { minimum = level; }

void SetLogSink(std::function<void(std::string_view)> sink) {
  Sink& global = GlobalSink();
  absl::MutexLock lock(&global.mutex);
  global.write = std::move(sink);
}

}  // namespace ip2p
