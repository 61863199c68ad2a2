// The miniature measured on scenes that it never saw: every part by itself, and whole edits, judged by the
// oracle of common/shapes. Free of torch: the models come from the caller. Equal arguments give equal
// figures, but for what batching moves by a level (edit_engine.h).
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/evaluation/evaluation_options.h"
#include "common/pipeline/edit_engine.h"
#include "common/pipeline/pair_sampler.h"
#include "common/pipeline/part_probe.h"
#include "common/plot/contact_sheet.h"
#include "common/shapes/edit_grammar.h"

namespace ip2p {

// What is measured apart from each other; the curve is the edit model's.
inline constexpr std::array<const char*, 4> kShapesParts = {"vae", "clip", "text-to-image", "edit"};

struct ShapesOptions {
  std::vector<std::string> parts = {kShapesParts.begin(), kShapesParts.end()};  // of kShapesParts
  int cases = 500;                                                              // of each figure, 1..100000
  int curve_cases = 100;                            // of each point of the curve, 0..100000; 0: no curve
  uint32_t seed = 1000003;                          // of scenes, edits and noise; the recipe trains on others
  int steps = 30;                                   // 1..1000
  double caption_guidance = 2;                      // of text-to-image, 0..100
  Guidance guidance = {.text = 7.5, .image = 1.5};  // of edits
  std::vector<double> curve_image = {1, 1.25, 1.5, 2, 2.5, 3};
  std::vector<double> curve_text = {2, 4, 7.5, 10};
  int sheet_cells = 24;  // of each contact sheet
};

// Whether the part is one of the options'.
bool Measures(const ShapesOptions& options, const std::string& part);

// All faults listed together. INVALID_ARGUMENT.
absl::Status ValidateShapes(const ShapesOptions& options);

// So many of so many.
struct Tally {
  int64_t hits = 0;
  int64_t cases = 0;
  void Add(bool hit) {
    hits += hit ? 1 : 0;
    ++cases;
  }
  double share() const { return cases == 0 ? 0 : static_cast<double>(hits) / static_cast<double>(cases); }
};

struct EditTally {
  Tally changed;  // what was asked for is there
  Tally kept;     // all else is as before
  Tally both;
  void Add(bool has_changed, bool has_kept) {
    changed.Add(has_changed);
    kept.Add(has_kept);
    both.Add(has_changed && has_kept);
  }
};

// A tally without cases was not measured.
struct ShapesFigures {
  double psnr = 0;   // dB: mean over pictures of what the autoencoder gives back
  Tally same_scene;  // the oracle reads the same scene in it
  Tally retrieval;   // CLIP finds, among 64 captions, one that is true of a picture
  Tally one_object;  // text-to-image: the oracle reads the caption
  Tally two_objects;
  EditTally edits;                         // at the options' guidance
  std::array<EditTally, 3> edits_by_kind;  // by EditKind
  struct Point {
    Guidance guidance;
    EditTally tally;
  };
  std::vector<Point>
      curve;  // image guidances at the options' text guidance, then text guidances at its image guidance
  std::vector<SheetCell> captions_sheet;  // text-to-image: before is what was drawn for the caption
  std::vector<SheetCell> edits_sheet;
};

struct ShapesModels {
  PartProbe* parts;            // null where neither the autoencoder nor CLIP is measured
  PairSampler* text_to_image;  // null where that part is not measured
  EditEngine& editor;
};

// `progress` is told pictures that are made, of all; an error from it ends the work and is returned. Errors:
// of the models.
using ShapesProgress = std::function<absl::Status(int64_t done, int64_t all)>;
absl::StatusOr<ShapesFigures> MeasureShapes(const ShapesOptions& options, const ShapesModels& models,
                                            const ShapesProgress& progress);

}  // namespace ip2p
