// Structured logs: one JSON object a line on stderr, written whole. Any thread.
//
// {"time":"2024-05-01T12:00:00.123Z","level":"info","event":"edit done","request_id":"...","ms":812}
// Never log a token, a key, an instruction or a caption.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <variant>

namespace ip2p {

enum class LogLevel { kDebug, kInfo, kWarning, kError };

// One named value of a line. The name and a text value must outlive the call only.
struct LogField {
  using Value = std::variant<std::string_view, int64_t, double, bool>;

  LogField(std::string_view n, std::string_view v) : name(n), value(v) {}
  LogField(std::string_view n, const char* v) : name(n), value(std::string_view(v)) {}
  LogField(std::string_view n, const std::string& v) : name(n), value(std::string_view(v)) {}
  LogField(std::string_view n, int v) : name(n), value(int64_t{v}) {}
  LogField(std::string_view n, int64_t v) : name(n), value(v) {}
  LogField(std::string_view n, double v) : name(n), value(v) {}
  LogField(std::string_view n, bool v) : name(n), value(v) {}

  std::string_view name;
  Value value;
};

// `event` is a constant text to search for; what varies goes into fields. Bytes that are not UTF-8 are
// replaced.
void Log(LogLevel level, std::string_view event, std::initializer_list<LogField> fields = {});

// Lines below this level are dropped. Default: info.
void SetLogLevel(LogLevel level);

// Redirects whole lines (without the newline); null: stderr again. For tests.
void SetLogSink(std::function<void(std::string_view line)> sink);

}  // namespace ip2p
