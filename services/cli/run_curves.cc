#include "services/cli/run_curves.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <system_error>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/dataset/json_text.h"
#include "common/dataset/line_reader.h"
#include "common/storage/io_error.h"
#include "common/storage/read_file.h"

namespace ip2p {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr size_t kMaxLine = 1 << 16;
constexpr size_t kMaxValidation = 1 << 16;
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

double RealOr(const nlohmann::json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_number() ? found->get<double>() : kNan;
}

absl::Status TakeLine(const FileLine& line, RunCurves& run) {
  if (line.too_long) return absl::DataLossError("the line is too long; wants a step's figures");
  IP2P_ASSIGN_OR_RETURN(const nlohmann::json json, ParseJsonObject(line.text));
  const int64_t step = NumberOr(json, "step");
  if (step <= run.step) {
    return absl::DataLossError(absl::StrCat("step is ", step, "; wants more than the ", run.step, " before"));
  }
  run.step = step;
  run.loss.Add(static_cast<double>(step), RealOr(json, "loss"));
  return absl::OkStatus();
}

absl::Status ReadLoss(const std::string& folder, RunCurves& run) {
  const std::string path = absl::StrCat(folder, "/metrics.jsonl");
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return IoError(errno, absl::StrCat(path, " cannot be read; wants the folder of a run"));
  const absl::Cleanup close = [fd] { ::close(fd); };
  LineReader reader(fd, path, kMaxLine);
  FileLine line;
  while (true) {
    IP2P_ASSIGN_OR_RETURN(const bool more, reader.Next(line));
    if (!more || line.torn) break;  // a torn line is being written
    if (const absl::Status taken = TakeLine(line, run); !taken.ok()) {
      return absl::DataLossError(absl::StrCat("line ", line.number, " of ", path, ": ", taken.message()));
    }
  }
  if (run.step == 0) {
    return absl::FailedPreconditionError(absl::StrCat(path, " holds no step; wants a run that has trained"));
  }
  return absl::OkStatus();
}

absl::Status ReadValidations(const std::string& folder, RunCurves& run) {
  std::error_code error;  // no folder: no validation
  for (const auto& entry : fs::directory_iterator(absl::StrCat(folder, "/validation"), error)) {
    if (!entry.path().filename().string().starts_with("step-")) continue;  // one being written
    const std::string path = (entry.path() / "metrics.json").string();
    IP2P_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, path, kMaxValidation));
    const absl::StatusOr<nlohmann::json> json = ParseJsonObject(text);
    if (!json.ok()) return absl::DataLossError(absl::StrCat(path, ": ", json.status().message()));
    run.validations.push_back({.step = NumberOr(*json, "step"),
                               .loss = RealOr(*json, "loss"),
                               .clip_direction = RealOr(*json, "clip_direction"),
                               .clip_image = RealOr(*json, "clip_image")});
  }
  std::sort(run.validations.begin(), run.validations.end(),
            [](const ValidationPoint& a, const ValidationPoint& b) { return a.step < b.step; });
  return absl::OkStatus();
}

// "runs/first/" -> "first"; "." -> the folder's own name.
std::string NameOf(const std::string& folder) {
  std::error_code error;
  const fs::path whole = fs::canonical(folder, error);
  return error || whole.filename().empty() ? folder : whole.filename().string();
}

Panel PanelOf(const char* title, const char* y_label) {
  return {.title = title, .x_label = "step", .y_label = y_label, .series = {}, .markers = {}};
}

std::string LegendOf(const RunCurves& run, size_t runs) { return runs > 1 ? run.name : ""; }

// Adds the panel when a run has such a figure.
void AddValidations(const char* title, const char* y_label, double ValidationPoint::*figure,
                    const std::vector<RunCurves>& runs, std::vector<Panel>& panels) {
  Panel panel = PanelOf(title, y_label);
  bool any = false;
  for (const RunCurves& run : runs) {
    Series& series = panel.series.emplace_back();  // of each run, so that its colour is everywhere the same
    series.name = LegendOf(run, runs.size());
    for (const ValidationPoint& point : run.validations) {
      series.x.push_back(static_cast<double>(point.step));
      series.y.push_back(point.*figure);
      any = any || std::isfinite(point.*figure);
    }
  }
  if (any) panels.push_back(std::move(panel));
}

Json Number(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

}  // namespace

absl::StatusOr<RunCurves> ReadRunCurves(const std::string& folder) {
  RunCurves run;
  run.name = NameOf(folder);
  IP2P_RETURN_IF_ERROR(ReadLoss(folder, run));
  IP2P_RETURN_IF_ERROR(ReadValidations(folder, run));
  return run;
}

std::vector<Panel> CurvePanels(const std::vector<RunCurves>& runs) {
  std::vector<Panel> panels = {PanelOf("Training loss", "loss")};
  for (const RunCurves& run : runs) {
    Series& series = panels.front().series.emplace_back();
    series.name = LegendOf(run, runs.size());
    series.x = run.loss.X();
    series.y = run.loss.Y();
  }
  AddValidations("Validation loss", "loss", &ValidationPoint::loss, runs, panels);
  AddValidations("CLIP direction similarity", "similarity", &ValidationPoint::clip_direction, runs, panels);
  AddValidations("CLIP image similarity", "similarity", &ValidationPoint::clip_image, runs, panels);
  return panels;
}

std::string CurvesJson(const std::vector<RunCurves>& runs) {
  Json list = Json::array();
  for (const RunCurves& run : runs) {
    Json json{
        {"name", run.name}, {"step", run.step}, {"loss", Json::array()}, {"validations", Json::array()}};
    const std::vector<double> x = run.loss.X(), y = run.loss.Y();
    for (size_t i = 0; i < x.size(); ++i) json["loss"].push_back(Json::array({x[i], Number(y[i])}));
    for (const ValidationPoint& point : run.validations) {
      json["validations"].push_back(Json{{"step", point.step},
                                         {"loss", Number(point.loss)},
                                         {"clip_direction", Number(point.clip_direction)},
                                         {"clip_image", Number(point.clip_image)}});
    }
    list.push_back(std::move(json));
  }
  const Json whole{{"runs", std::move(list)}};
  return whole.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace ip2p
