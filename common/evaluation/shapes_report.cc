#include "common/evaluation/shapes_report.h"

#include <array>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/json.h"
#include "common/base/status_macros.h"
#include "common/image/encode.h"
#include "common/plot/png_chart.h"
#include "common/plot/svg_chart.h"
#include "common/storage/atomic_file.h"
#include "common/storage/make_folder.h"

namespace ip2p {
namespace {

constexpr int kSheetColumns = 4;
constexpr std::array<const char*, 3> kKinds = {"recolour", "reshape", "background"};  // by EditKind
constexpr std::array<const char*, 3> kKindNames = {"  of another colour", "  of another shape",
                                                   "  of another background"};

struct Row {
  const char* key;
  const char* name;
  const Tally* tally;
  double promised;  // share; below 0: nothing is
};

// Those that were measured.
std::vector<Row> Rows(const ShapesFigures& f) {
  std::vector<Row> rows = {{"vae_same_scene", "autoencoder: same scene read", &f.same_scene, 0.98},
                           {"clip_retrieval", "CLIP: caption found among 64", &f.retrieval, 0.95},
                           {"text_to_image_one", "text-to-image: one object as told", &f.one_object, 0.90},
                           {"text_to_image_two", "text-to-image: two objects as told", &f.two_objects, 0.75},
                           {"edit_changed", "edits: what was asked for is there", &f.edits.changed, 0.85},
                           {"edit_kept", "edits: all else is as before", &f.edits.kept, 0.80},
                           {"edit_both", "edits: both", &f.edits.both, 0.75}};
  std::erase_if(rows, [](const Row& row) { return row.tally->cases == 0; });
  return rows;
}

nlohmann::ordered_json TallyJson(const Tally& tally) {
  return {{"share", tally.share()}, {"hits", tally.hits}, {"cases", tally.cases}};
}

nlohmann::ordered_json EditJson(const EditTally& tally) {
  return {{"changed", TallyJson(tally.changed)},
          {"kept", TallyJson(tally.kept)},
          {"both", TallyJson(tally.both)}};
}

absl::Status WriteSheet(const std::vector<SheetCell>& cells, const std::string& path) {
  if (cells.empty()) return absl::OkStatus();
  IP2P_ASSIGN_OR_RETURN(const Image sheet, ContactSheet(cells, kSheetColumns));
  IP2P_ASSIGN_OR_RETURN(const std::string png, EncodeImage(sheet));
  return WriteFileAtomically(path, png);
}

}  // namespace

std::string ShapesText(const ShapesFigures& figures) {
  std::string text;
  if (figures.same_scene.cases > 0)
    text = absl::StrFormat("%-40s %7.2f dB   (wants 30)\n", "autoencoder: PSNR", figures.psnr);
  const auto line = [&text](const char* name, const Tally& tally, double promised) {
    absl::StrAppendFormat(&text, "%-40s %7.1f %%   %d of %d", name, 100 * tally.share(), tally.hits,
                          tally.cases);
    if (promised >= 0) absl::StrAppendFormat(&text, "   (wants %.0f)", 100 * promised);
    text += "\n";
  };
  for (const Row& row : Rows(figures)) line(row.name, *row.tally, row.promised);
  for (size_t kind = 0; kind < kKindNames.size() && figures.edits.both.cases > 0; ++kind) {
    line(kKindNames[kind], figures.edits_by_kind[kind].both, -1);
  }
  return text;
}

std::string ShapesJson(const ShapesFigures& figures, const RunSettings& settings) {
  nlohmann::ordered_json json;
  json["settings"] = settings;
  if (figures.same_scene.cases > 0) json["vae_psnr_db"] = figures.psnr;
  for (const Row& row : Rows(figures)) json[row.key] = TallyJson(*row.tally);
  for (size_t kind = 0; kind < kKinds.size() && figures.edits.both.cases > 0; ++kind)
    json["edits_by_kind"][kKinds[kind]] = EditJson(figures.edits_by_kind[kind]);
  json["curve"] = nlohmann::ordered_json::array();
  for (const ShapesFigures::Point& point : figures.curve) {
    nlohmann::ordered_json line = {{"text_guidance", point.guidance.text},
                                   {"image_guidance", point.guidance.image}};
    line.update(EditJson(point.tally));
    json["curve"].push_back(std::move(line));
  }
  return json.dump(2) + "\n";
}

std::vector<Panel> ShapesPanels(const ShapesFigures& figures) {
  Panel trade{.title = "more of one is less of the other",
              .x_label = "asked change is there, share",
              .y_label = "all else kept, share"};
  std::array<Panel, 2> each = {
      Panel{.title = "image guidance", .x_label = "image guidance", .y_label = "share"},
      Panel{.title = "text guidance", .x_label = "text guidance", .y_label = "share"}};
  // The first stretch of equal text guidance is the one over image guidance.
  std::array<std::vector<const ShapesFigures::Point*>, 2> runs;
  for (const ShapesFigures::Point& point : figures.curve) {
    const bool text_moves = point.guidance.text != figures.curve.front().guidance.text || !runs[1].empty();
    runs[text_moves ? 1 : 0].push_back(&point);
  }
  for (size_t run = 0; run < runs.size(); ++run) {
    Series both{.name = each[run].title}, changed{.name = "changed"}, kept{.name = "kept"};
    for (const ShapesFigures::Point* point : runs[run]) {
      const double scale = run == 0 ? point->guidance.image : point->guidance.text;
      both.x.push_back(point->tally.changed.share());
      both.y.push_back(point->tally.kept.share());
      both.labels.push_back(absl::StrFormat("%g", scale));
      changed.x.push_back(scale);
      changed.y.push_back(point->tally.changed.share());
      kept.x.push_back(scale);
      kept.y.push_back(point->tally.kept.share());
    }
    trade.series.push_back(std::move(both));
    each[run].series = {std::move(changed), std::move(kept)};
  }
  return {std::move(trade), std::move(each[0]), std::move(each[1])};
}

absl::Status WriteShapes(const ShapesFigures& figures, const RunSettings& settings,
                         const std::string& folder) {
  IP2P_RETURN_IF_ERROR(MakeFolder(folder, "the folder of results"));
  const auto path = [&folder](const char* name) { return absl::StrCat(folder, "/", name); };
  IP2P_RETURN_IF_ERROR(WriteSheet(figures.captions_sheet, path("captions.png")));
  IP2P_RETURN_IF_ERROR(WriteSheet(figures.edits_sheet, path("edits.png")));
  if (!figures.curve.empty()) {
    const std::vector<Panel> panels = ShapesPanels(figures);
    IP2P_RETURN_IF_ERROR(WriteFileAtomically(path("curve.svg"), SvgOf(panels, 3)));
    IP2P_ASSIGN_OR_RETURN(const std::string png, PngOf(panels, 3));
    IP2P_RETURN_IF_ERROR(WriteFileAtomically(path("curve.png"), png));
  }
  return WriteFileAtomically(path("figures.json"), ShapesJson(figures, settings));
}

}  // namespace ip2p
