#include "services/gateway/dataset_api.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "services/gateway/json_body.h"

namespace ip2p::gateway {
namespace {

using nlohmann::json;

constexpr const char* kScores[] = {"sim_0", "sim_1", "sim_dir", "sim_image"};
constexpr int kMaxPage = 100;
constexpr int kMaxOutSamples = 1000;

absl::StatusOr<ClipThresholds> ThresholdsOf(const WebRequest& request, const ClipThresholds& fallback) {
  ClipThresholds thresholds;
  IP2P_ASSIGN_OR_RETURN(thresholds.clip, QueryDecimal(request, "clip_threshold", fallback.clip, -1, 1));
  IP2P_ASSIGN_OR_RETURN(thresholds.dir, QueryDecimal(request, "clip_dir_threshold", fallback.dir, -1, 1));
  IP2P_ASSIGN_OR_RETURN(thresholds.img, QueryDecimal(request, "clip_img_threshold", fallback.img, -1, 1));
  return thresholds;
}

json ThresholdsJson(const ClipThresholds& thresholds, int max_out_samples) {
  return {{"clip_threshold", thresholds.clip},
          {"clip_dir_threshold", thresholds.dir},
          {"clip_img_threshold", thresholds.img},
          {"max_out_samples", max_out_samples}};
}

json HistogramJson(const ScoreHistogram& histogram) {
  return {{"low", ScoreHistogram::kLow}, {"width", ScoreHistogram::kWidth}, {"count", histogram.count()},
          {"mean", histogram.mean()},    {"bins", histogram.bins()},        {"passed", histogram.kept()}};
}

json ProgressJson(const DatasetView& view) {
  return {{"reading", view.reading},
          {"prompts", view.index->folders().size()},
          {"prompts_total", view.folders_total},
          {"pairs", view.index->pairs()},
          {"prompts_with_pairs", view.index->prompts_with_pairs()},
          {"truncated", view.index->truncated() || view.cut},
          {"fault", view.fault.empty() ? json(nullptr) : json(view.fault)}};
}

absl::StatusOr<WebAnswer> List(const DatasetCatalog& catalog) {
  IP2P_ASSIGN_OR_RETURN(const std::vector<std::string> names, catalog.List());
  return JsonAnswer({{"datasets", names}});
}

absl::StatusOr<WebAnswer> Scores(DatasetCatalog& catalog, const WebRequest& request) {
  IP2P_ASSIGN_OR_RETURN(const int64_t most_given,
                        QueryNumber(request, "max_out_samples", 0, 1, kMaxOutSamples));
  json answer;
  absl::Status bad;
  IP2P_RETURN_IF_ERROR(catalog.Look(request.parts[0], [&](const DatasetView& view) {
    const ClipThresholds own = view.thresholds.value_or(ClipThresholds());
    const absl::StatusOr<ClipThresholds> wanted = ThresholdsOf(request, own);
    if (!wanted.ok()) {
      bad = wanted.status();
      return;
    }
    const int most = most_given > 0 ? static_cast<int>(most_given) : view.max_out_samples;
    const Selection selection = view.index->Select(*wanted, most);
    answer = ProgressJson(view);
    answer["name"] = request.parts[0];
    answer["own"] = view.thresholds ? ThresholdsJson(own, view.max_out_samples) : json(nullptr);
    answer["wanted"] = ThresholdsJson(*wanted, most);
    answer["samples"] = selection.samples;
    answer["passed"] = selection.passed;
    answer["would_keep"] = {{"pairs", selection.pairs}, {"prompts_with_pairs", selection.prompts_with_pairs}};
    for (size_t i = 0; i < selection.scores.size(); ++i) {
      answer["scores"][kScores[i]] = HistogramJson(selection.scores[i]);
    }
  }));
  if (!bad.ok()) return bad;
  return JsonAnswer(answer);
}

absl::StatusOr<PairOrder> OrderOf(const WebRequest& request) {
  const std::string* order = request.Query("order");
  if (order == nullptr || *order == "dataset") return PairOrder::kDataset;
  if (*order == "best") return PairOrder::kBestDirection;
  if (*order == "worst") return PairOrder::kWorstDirection;
  return absl::InvalidArgumentError(
      absl::StrCat("order is ", Found(*order), "; wants dataset, best or worst"));
}

json PairJson(DatasetCatalog& catalog, const std::string& dataset, const std::string& folder,
              const IndexRow& row) {
  json pair = {{"folder", folder}, {"seed", absl::StrCat(row.seed)}, {"scores", nullptr}};
  if (row.scored) {
    pair["scores"] = {{"sim_0", row.scores.sim_0},
                      {"sim_1", row.scores.sim_1},
                      {"sim_dir", row.scores.sim_dir},
                      {"sim_image", row.scores.sim_image}};
  }
  const absl::StatusOr<PromptRecord> record = catalog.ReadPrompt(dataset, folder);
  pair["caption"] = record.ok() ? record->caption : "";
  pair["edit"] = record.ok() ? record->edit : "";
  pair["output"] = record.ok() ? record->output : "";
  const std::string images = absl::StrCat("/api/v1/datasets/", dataset, "/images/", folder, "/", row.seed);
  pair["before"] = images + "_0.jpg";
  pair["after"] = images + "_1.jpg";
  return pair;
}

absl::StatusOr<WebAnswer> Pairs(DatasetCatalog& catalog, const WebRequest& request) {
  IP2P_ASSIGN_OR_RETURN(const ClipThresholds thresholds,
                        ThresholdsOf(request, {.clip = -1, .dir = -1, .img = -1}));
  IP2P_ASSIGN_OR_RETURN(const PairOrder order, OrderOf(request));
  IP2P_ASSIGN_OR_RETURN(const int64_t offset, QueryNumber(request, "offset", 0, 0, 1'000'000'000));
  IP2P_ASSIGN_OR_RETURN(const int64_t limit, QueryNumber(request, "limit", 24, 1, kMaxPage));
  json answer;
  std::vector<std::pair<std::string, IndexRow>> page;  // read without the lock
  IP2P_RETURN_IF_ERROR(catalog.Look(request.parts[0], [&](const DatasetView& view) {
    const std::vector<size_t> rows = view.index->Pairs(thresholds, order);
    answer = ProgressJson(view);
    answer["matching"] = rows.size();
    answer["offset"] = offset;
    for (size_t i = static_cast<size_t>(offset); i < rows.size() && page.size() < static_cast<size_t>(limit);
         ++i) {
      const IndexRow& row = view.index->row(rows[i]);
      page.emplace_back(view.index->folders()[row.prompt], row);
    }
  }));
  json items = json::array();
  for (const auto& [folder, row] : page) items.push_back(PairJson(catalog, request.parts[0], folder, row));
  answer["items"] = std::move(items);
  return JsonAnswer(answer);
}

absl::StatusOr<WebAnswer> Image(DatasetCatalog& catalog, const WebRequest& request) {
  WebAnswer answer{.type = "image/jpeg"};
  IP2P_ASSIGN_OR_RETURN(answer.body, catalog.ReadImage(request.parts[0], request.parts[1], request.parts[2]));
  answer.headers.emplace_back("Cache-Control", "private, max-age=300");
  return answer;
}

}  // namespace

void AddDatasetRoutes(Router& router, DatasetCatalog* catalog) {
  const auto add = [&router](const char* pattern, auto handle) {
    router.Add({.method = "GET", .pattern = pattern, .handler = [handle](WebRequest& request, EventSink&) {
                  return handle(request);
                }});
  };
  add("/api/v1/datasets", [catalog](const WebRequest&) { return List(*catalog); });
  add("/api/v1/datasets/{name}", [catalog](const WebRequest& request) { return Scores(*catalog, request); });
  add("/api/v1/datasets/{name}/pairs",
      [catalog](const WebRequest& request) { return Pairs(*catalog, request); });
  add("/api/v1/datasets/{name}/images/{folder}/{file}",
      [catalog](const WebRequest& request) { return Image(*catalog, request); });
}

}  // namespace ip2p::gateway
