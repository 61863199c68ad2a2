// Models that know the miniature world by heart: a caption is drawn, an edit is made by reading the picture,
// understanding the instruction, and drawing what results. So every figure of the profile is full.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/pipeline/edit_engine.h"
#include "common/pipeline/pair_sampler.h"
#include "common/pipeline/part_probe.h"
#include "common/shapes/draw.h"
#include "common/shapes/edit_grammar.h"
#include "common/shapes/oracle.h"

namespace ip2p {

class DrawingProbe final : public PartProbe {
 public:
  absl::StatusOr<Image> Reconstruct(const Image& image) override { return image; }
  // Only a picture's own caption is like it, as long as `knows`.
  absl::StatusOr<std::vector<std::vector<double>>> Match(std::span<const Image> pictures,
                                                         const std::vector<std::string>& captions) override {
    std::vector<std::vector<double>> rows(pictures.size(), std::vector<double>(captions.size(), 0.1));
    for (size_t i = 0; i < rows.size(); ++i) rows[i][knows ? i : 0] = 1;
    return rows;
  }
  bool knows = true;
};

class DrawingSampler final : public PairSampler {
 public:
  static absl::StatusOr<Image> Draw(const std::string& caption, uint64_t seed) {
    absl::StatusOr<shapes::ToldScene> told = shapes::ParseCaption(caption);
    if (!told.ok()) return told.status();
    absl::StatusOr<shapes::PlacedScene> placed = shapes::LayOut(told->scene, seed);
    if (!placed.ok()) return placed.status();
    return shapes::DrawScene(*placed);
  }
  absl::StatusOr<std::vector<MadeSample>> Make(const PairPrompt& prompt, const PairParams& params,
                                               std::span<const uint64_t> seeds, const StepHook&) override {
    asked.push_back(params);
    std::vector<MadeSample> made;
    for (const uint64_t seed : seeds) {
      auto before = Draw(prompt.caption, seed), after = Draw(prompt.output, seed);
      if (!before.ok()) return before.status();
      if (!after.ok()) return after.status();
      made.push_back({.seed = seed, .before = *std::move(before), .after = *std::move(after)});
    }
    return made;
  }
  int BatchSize(int) const override { return 2; }
  int native_resolution() const override { return 128; }
  bool has_clip() const override { return false; }
  bool has_safety_checker() const override { return false; }
  std::string precision_name() const override { return "fp32"; }
  std::string fingerprint() const override { return ""; }

  std::vector<PairParams> asked;
};

// Answers at once, on the caller's thread.
class DrawingEditor final : public EditEngine {
 public:
  absl::StatusOr<EditId> Submit(Image input, EditParams params, absl::Time,
                                EditCallbacks callbacks) override {
    EditResult result{.params = params};
    result.outputs.push_back(
        {idle_from >= 0 && params.cfg_image >= idle_from ? input : Edited(input, params.instruction),
         params.seed});
    callbacks.done(std::move(result));
    return ++submitted_;
  }
  void Cancel(EditId) override {}
  int waiting() const override { return 0; }
  int running() const override { return 0; }
  absl::Duration Estimate(const EditParams&) const override { return absl::ZeroDuration(); }
  const ModelConfig& config() const override { return config_; }
  std::string precision_name() const override { return "fp32"; }

  double idle_from = -1;  // from this image guidance on it gives the picture back; below 0: never

 private:
  // A black picture where it does not understand.
  static Image Edited(const Image& picture, const std::string& instruction) {
    const shapes::SceneReading reading = shapes::ReadScene(picture);
    shapes::PlacedScene placed{.scene = {.background = reading.background}};
    for (const shapes::SeenObject& seen : reading.objects) {
      placed.scene.objects.push_back({.shape = seen.shape, .color = seen.color});
      placed.spots.push_back({seen.x / reading.width, seen.y / reading.width, seen.radius / reading.width});
    }
    for (const shapes::SceneEdit& edit : shapes::PossibleEdits(placed.scene)) {
      for (size_t variant = 0; variant < shapes::Wordings(edit, placed.scene); ++variant) {
        if (shapes::Instruction(edit, placed.scene, variant) != instruction) continue;
        placed.scene = *shapes::Apply(edit, placed.scene);
        return shapes::DrawScene(placed);
      }
    }
    Image black = picture;
    std::fill(black.pixels.begin(), black.pixels.end(), uint8_t{0});
    return black;
  }

  const ModelConfig config_;
  EditId submitted_ = 0;
};

}  // namespace ip2p
