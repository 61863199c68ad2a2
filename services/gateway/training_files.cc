#include "services/gateway/training_files.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>
#include <system_error>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "common/storage/read_file.h"

namespace ip2p::gateway {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr int64_t kReadWholeBytes = 4 << 20;
constexpr size_t kMaxImageBytes = 20'000'000;
constexpr size_t kMaxJsonBytes = 1 << 20;

std::optional<CurvePoint> PointOf(const std::string& line) {
  const json object = json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!object.is_object() || !object.contains("step") || !object.contains("loss")) return std::nullopt;
  if (!object["step"].is_number_integer() || !object["loss"].is_number()) return std::nullopt;
  const auto lr = object.find("lr");
  return CurvePoint{.step = object["step"].get<int64_t>(),
                    .loss = object["loss"].get<double>(),
                    .lr = lr != object.end() && lr->is_number() ? lr->get<double>() : 0};
}

std::vector<CurvePoint> ReadAll(std::ifstream& file) {
  std::vector<CurvePoint> all;
  for (std::string line; std::getline(file, line);) {
    if (const auto point = PointOf(line)) all.push_back(*point);
  }
  return all;
}

// The line after each of evenly spaced places.
std::vector<CurvePoint> ReadSome(std::ifstream& file, int64_t size, int points) {
  std::vector<CurvePoint> some;
  for (int i = 0; i < points; ++i) {
    file.clear();
    file.seekg(size / points * i);
    std::string line;
    if (i > 0) std::getline(file, line);  // the rest of one that began before
    std::getline(file, line);
    const auto point = PointOf(line);
    if (point && (some.empty() || point->step > some.back().step)) some.push_back(*point);
  }
  return some;
}

std::vector<CurvePoint> Thinned(const std::vector<CurvePoint>& all, size_t points) {
  const size_t group = (all.size() + points - 1) / std::max<size_t>(points, 1);
  if (group <= 1) return all;
  std::vector<CurvePoint> thin;
  for (size_t begin = 0; begin < all.size(); begin += group) {
    const size_t end = std::min(begin + group, all.size());
    CurvePoint point = all[end - 1];
    double sum = 0;
    for (size_t i = begin; i < end; ++i) sum += all[i].loss;
    point.loss = sum / static_cast<double>(end - begin);
    thin.push_back(point);
  }
  return thin;
}

bool IsImageName(absl::string_view name) {
  if (!absl::ConsumeSuffix(&name, ".png")) return false;
  const size_t dash = name.find('-');
  if (dash == absl::string_view::npos || dash < 3 || dash + 1 == name.size()) return false;
  const auto all = [](absl::string_view part, char low, char high) {
    return std::all_of(part.begin(), part.end(), [=](char c) { return c >= low && c <= high; });
  };
  return all(name.substr(0, dash), '0', '9') && all(name.substr(dash + 1), 'a', 'z');
}

std::string StepFolder(const std::string& run, int64_t step) {
  return absl::StrFormat("%s/validation/step-%09d", run, step);
}

}  // namespace

std::vector<CurvePoint> ReadCurve(const std::string& run, int points) {
  const std::string path = run + "/metrics.jsonl";
  std::error_code error;
  const auto size = static_cast<int64_t>(fs::is_regular_file(path, error) ? fs::file_size(path, error) : 0);
  std::ifstream file(path);
  if (error || !file || size == 0) return {};
  return Thinned(size <= kReadWholeBytes ? ReadAll(file) : ReadSome(file, size, points),
                 static_cast<size_t>(points));
}

std::vector<ValidationFolder> ListValidations(const std::string& run, size_t most) {
  std::vector<int64_t> steps;
  std::error_code error;
  for (fs::directory_iterator it(run + "/validation", error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    int64_t step = 0;
    if (name.starts_with("step-") && absl::SimpleAtoi(name.substr(5), &step)) steps.push_back(step);
  }
  std::sort(steps.begin(), steps.end(), std::greater<>());
  if (steps.size() > most) steps.resize(most);
  std::vector<ValidationFolder> folders;
  for (const int64_t step : steps) {
    ValidationFolder folder{.step = step, .metrics = nullptr};
    const std::string path = StepFolder(run, step);
    std::error_code ignored;
    for (fs::directory_iterator it(path, ignored), end; !ignored && it != end; it.increment(ignored)) {
      std::string name = it->path().filename().string();
      if (IsImageName(name)) folder.images.push_back(std::move(name));
    }
    std::sort(folder.images.begin(), folder.images.end());
    const auto text = ReadFile(path + "/metrics.json", "metrics.json", kMaxJsonBytes);
    if (text.ok()) folder.metrics = json::parse(*text, nullptr, /*allow_exceptions=*/false);
    if (folder.metrics.is_discarded()) folder.metrics = nullptr;
    folders.push_back(std::move(folder));
  }
  return folders;
}

absl::StatusOr<std::string> ReadValidationImage(const std::string& run, int64_t step,
                                                const std::string& name) {
  if (!IsImageName(name)) return absl::InvalidArgumentError("the image's name is none; wants NNN-word.png");
  return ReadFile(absl::StrCat(StepFolder(run, step), "/", name), name, kMaxImageBytes);
}

}  // namespace ip2p::gateway
