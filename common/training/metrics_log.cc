// See metrics_log.h.
#include "common/training/metrics_log.h"

#include <unistd.h>

#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/status_macros.h"
#include "common/dataset/json_text.h"
#include "common/dataset/line_reader.h"

namespace ip2p {
namespace {

constexpr char kName[] = "metrics.jsonl";
constexpr size_t kMaxLine = 1 << 16;

std::string Number(double value) { return std::isfinite(value) ? absl::StrFormat("%.9g", value) : "null"; }

// Where the lines up to `step` end.
absl::StatusOr<int64_t> EndOf(int fd, int64_t step) {
  ::lseek(fd, 0, SEEK_SET);
  LineReader reader(fd, kName, kMaxLine);
  FileLine line;
  int64_t end = 0;
  while (true) {
    IP2P_ASSIGN_OR_RETURN(const bool more, reader.Next(line));
    if (!more || line.torn || line.too_long) return end;
    const absl::StatusOr<nlohmann::json> json = ParseJsonObject(line.text);
    if (!json.ok() || NumberOr(*json, "step") > step) return end;
    end = line.offset + line.bytes + 1;
  }
}

}  // namespace

absl::StatusOr<MetricsLog> MetricsLog::Open(const std::string& run, int64_t step) {
  IP2P_ASSIGN_OR_RETURN(AppendFile file, AppendFile::Open(absl::StrCat(run, "/", kName), kName, false));
  IP2P_ASSIGN_OR_RETURN(const int64_t end, EndOf(file.fd(), step));
  if (end < file.size()) IP2P_RETURN_IF_ERROR(file.Truncate(end));
  return MetricsLog(std::move(file));
}

absl::Status MetricsLog::Append(const StepReport& r) {
  return file_.Append(absl::StrFormat(
      "{\"step\":%d,\"loss\":%s,\"lr\":%s,\"grad_norm\":%s,\"seconds\":%s,\"data_wait\":%s,\"samples\":%d}\n",
      r.result.step, Number(r.result.loss), Number(r.result.learning_rate), Number(r.result.grad_norm),
      Number(r.seconds), Number(r.data_wait), r.samples));
}

}  // namespace ip2p
