#include "common/evaluation/shapes_profile.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <span>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/field_faults.h"
#include "common/base/limits.h"
#include "common/base/permutation.h"
#include "common/base/status_macros.h"
#include "common/pipeline/pending_edits.h"
#include "common/shapes/compare.h"
#include "common/shapes/draw.h"
#include "common/shapes/oracle.h"

namespace ip2p {
namespace {

using shapes::SampledScene;

// Sets of scenes and streams of numbers apart from each other.
constexpr uint64_t kParts = 1, kCaptions = 2, kEdits = 3, kNoise = 4;
constexpr int64_t kAmong = 64;  // captions that one is found among
constexpr int64_t kMostCases = 100'000;
constexpr size_t kTogether = 8;    // edits in the engine at a time
constexpr double kBestPsnr = 100;  // dB: of a picture that comes back as it was

double Psnr(const Image& a, const Image& b) {
  double sum = 0;
  for (size_t i = 0; i < a.pixels.size(); ++i) {
    const double difference = (a.pixels[i] - b.pixels[i]) / 255.0;
    sum += difference * difference;
  }
  const double mean = sum / static_cast<double>(a.pixels.size());
  return mean <= 0 ? kBestPsnr : std::min(kBestPsnr, -10 * std::log10(mean));
}

struct EditCase {
  SampledScene scene;
  shapes::EditedScene edit;
  Image picture;
};

class Measurement {
 public:
  Measurement(const ShapesOptions& options, const ShapesModels& models, const ShapesProgress& progress)
      : options_(options), models_(models), progress_(progress) {
    const auto points = static_cast<int64_t>(options.curve_image.size() + options.curve_text.size());
    if (Measures(options, "vae")) all_ += options.cases;
    if (Measures(options, "clip")) all_ += RetrievalCases();
    if (Measures(options, "text-to-image")) all_ += 2 * int64_t{options.cases};
    if (Measures(options, "edit")) all_ += options.cases + points * options.curve_cases;
  }

  absl::StatusOr<ShapesFigures> Run() {
    IP2P_RETURN_IF_ERROR(ValidateShapes(options_));
    if (Measures(options_, "vae")) IP2P_RETURN_IF_ERROR(MeasureAutoencoder());
    if (Measures(options_, "clip")) IP2P_RETURN_IF_ERROR(MeasureRetrieval());
    if (Measures(options_, "text-to-image")) {
      IP2P_RETURN_IF_ERROR(MeasureCaptions(1, figures_.one_object));
      IP2P_RETURN_IF_ERROR(MeasureCaptions(2, figures_.two_objects));
    }
    if (Measures(options_, "edit")) {
      IP2P_RETURN_IF_ERROR(MeasureEdits());
      IP2P_RETURN_IF_ERROR(MeasureCurve());
    }
    return std::move(figures_);
  }

 private:
  // Whole groups only: a caption is always one of kAmong.
  int64_t RetrievalCases() const { return (options_.cases + kAmong - 1) / kAmong * kAmong; }

  SampledScene Scene(uint64_t set, int64_t index) const {
    return shapes::SampleScene(MixSeed(options_.seed, set), index);
  }

  absl::Status Made(int64_t pictures) {
    done_ += pictures;
    return progress_ ? progress_(done_, all_) : absl::OkStatus();
  }

  absl::Status MeasureAutoencoder() {
    double sum = 0;
    for (int64_t i = 0; i < options_.cases; ++i) {
      const SampledScene scene = Scene(kParts, i);
      const Image drawn = shapes::DrawScene(scene.placed);
      IP2P_ASSIGN_OR_RETURN(const Image back, models_.parts->Reconstruct(drawn));
      sum += Psnr(drawn, back);
      figures_.same_scene.Add(shapes::DifferenceFromPlaced(shapes::ReadScene(back), scene.placed).empty());
      IP2P_RETURN_IF_ERROR(Made(1));
    }
    figures_.psnr = sum / options_.cases;
    return absl::OkStatus();
  }

  absl::Status MeasureRetrieval() {
    for (int64_t first = 0; first < RetrievalCases(); first += kAmong) {
      std::vector<SampledScene> scenes;
      std::vector<Image> pictures;
      std::vector<std::string> captions;
      for (int64_t i = first; i < first + kAmong; ++i) {
        const SampledScene& scene = scenes.emplace_back(Scene(kParts, i));
        pictures.push_back(shapes::DrawScene(scene.placed));
        captions.push_back(scene.caption);
      }
      IP2P_ASSIGN_OR_RETURN(const auto cosines, models_.parts->Match(pictures, captions));
      for (size_t i = 0; i < cosines.size(); ++i) {
        const auto best = std::max_element(cosines[i].begin(), cosines[i].end()) - cosines[i].begin();
        // Another picture's caption may say nothing but what is true of this one too.
        const SampledScene& found = scenes[static_cast<size_t>(best)];
        figures_.retrieval.Add(
            shapes::DifferenceFromScene(shapes::ReadScene(pictures[i]), found.told.scene).empty());
      }
      IP2P_RETURN_IF_ERROR(Made(kAmong));
    }
    return absl::OkStatus();
  }

  // Two captions are the two halves of a pair that shares nothing but its noise.
  absl::Status MeasureCaptions(size_t objects, Tally& tally) {
    std::vector<SampledScene> wanted;
    for (int64_t i = 0; static_cast<int>(wanted.size()) < options_.cases; ++i) {
      SampledScene scene = Scene(kCaptions, i);
      if (scene.told.scene.objects.size() == objects) wanted.push_back(std::move(scene));
    }
    const PairParams params{.steps = options_.steps,
                            .min_p2p = 0,
                            .max_p2p = 0,
                            .min_cfg = options_.caption_guidance,
                            .max_cfg = options_.caption_guidance,
                            .thresholds = {.clip = 0, .dir = 0, .img = 0},
                            .resolution = shapes::kDefaultSide,
                            .safety_check = false};
    for (size_t i = 0; i < wanted.size(); i += 2) {
      const SampledScene& one = wanted[i];
      const SampledScene& other = wanted[std::min(i + 1, wanted.size() - 1)];
      const uint64_t seed = MixSeed(MixSeed(options_.seed, kNoise, objects), i);
      IP2P_ASSIGN_OR_RETURN(
          const std::vector<MadeSample> made,
          models_.text_to_image->Make({one.caption, other.caption}, params, std::span(&seed, 1), nullptr));
      JudgeCaption(one, made.at(0).before, tally);
      if (i + 1 < wanted.size()) JudgeCaption(other, made.at(0).after, tally);
      IP2P_RETURN_IF_ERROR(Made(static_cast<int64_t>(std::min<size_t>(2, wanted.size() - i))));
    }
    return absl::OkStatus();
  }

  // A picture without pixels is of a model that gave NaN.
  void JudgeCaption(const SampledScene& scene, const Image& picture, Tally& tally) {
    const std::string fault = picture.pixels.empty()
                                  ? "the model gave no picture"
                                  : shapes::DifferenceFromScene(shapes::ReadScene(picture), scene.told.scene);
    tally.Add(fault.empty());
    if (picture.pixels.empty() || tally.cases > options_.sheet_cells / 2) return;
    figures_.captions_sheet.push_back({.before = shapes::DrawScene(scene.placed),
                                       .after = picture,
                                       .title = scene.caption,
                                       .note = fault.empty() ? "as told" : fault,
                                       .good = fault.empty()});
  }

  EditCase Case(int64_t index) const {
    EditCase made{.scene = Scene(kEdits, index)};
    made.edit =
        shapes::RandomEdit(made.scene.told, MixSeed(options_.seed, kEdits, static_cast<uint64_t>(index)));
    made.picture = shapes::DrawScene(made.scene.placed);
    return made;
  }

  using Judge = std::function<void(const EditCase&, const Image& edited, const shapes::EditVerdict&)>;

  absl::Status Edit(int64_t cases, const Guidance& guidance, const Judge& judge) {
    for (int64_t first = 0; first < cases; first += kTogether) {
      std::vector<EditCase> group;
      PendingEdits pending(models_.editor);
      for (int64_t i = first; i < std::min<int64_t>(cases, first + kTogether); ++i) {
        const EditCase& added = group.emplace_back(Case(i));
        IP2P_RETURN_IF_ERROR(pending.Add(
            added.picture,
            {.instruction = added.edit.instruction,
             .steps = options_.steps,
             .resolution = shapes::kDefaultSide,
             .cfg_text = guidance.text,
             .cfg_image = guidance.image,
             .seed = static_cast<uint32_t>(MixSeed(options_.seed, kNoise, static_cast<uint64_t>(i)))}));
      }
      while (pending.NextStep().has_value()) {
      }
      for (size_t i = 0; i < group.size(); ++i) {
        IP2P_ASSIGN_OR_RETURN(const EditResult result, pending.Take(i));
        const Image& edited = result.outputs.at(0).image;
        IP2P_ASSIGN_OR_RETURN(
            const shapes::EditVerdict verdict,
            shapes::JudgeEdit(group[i].scene.placed, group[i].edit.edit, shapes::ReadScene(edited)));
        judge(group[i], edited, verdict);
      }
      IP2P_RETURN_IF_ERROR(Made(static_cast<int64_t>(group.size())));
    }
    return absl::OkStatus();
  }

  absl::Status MeasureEdits() {
    return Edit(options_.cases, options_.guidance,
                [this](const EditCase& of, const Image& edited, const shapes::EditVerdict& verdict) {
                  figures_.edits.Add(verdict.changed, verdict.kept);
                  figures_.edits_by_kind[static_cast<size_t>(of.edit.edit.kind)].Add(verdict.changed,
                                                                                     verdict.kept);
                  if (figures_.edits.both.cases > options_.sheet_cells) return;
                  const bool good = verdict.changed && verdict.kept;
                  figures_.edits_sheet.push_back({.before = of.picture,
                                                  .after = edited,
                                                  .title = of.edit.instruction,
                                                  .note = good ? "changed, rest kept" : verdict.fault,
                                                  .good = good});
                });
  }

  absl::Status MeasureCurve() {
    if (options_.curve_cases == 0) return absl::OkStatus();
    const auto measure = [this](const Guidance& guidance) {
      ShapesFigures::Point& point = figures_.curve.emplace_back(ShapesFigures::Point{.guidance = guidance});
      return Edit(options_.curve_cases, guidance,
                  [&point](const EditCase&, const Image&, const shapes::EditVerdict& verdict) {
                    point.tally.Add(verdict.changed, verdict.kept);
                  });
    };
    for (const double image : options_.curve_image)
      IP2P_RETURN_IF_ERROR(measure({.text = options_.guidance.text, .image = image}));
    for (const double text : options_.curve_text)
      IP2P_RETURN_IF_ERROR(measure({.text = text, .image = options_.guidance.image}));
    return absl::OkStatus();
  }

  const ShapesOptions& options_;
  const ShapesModels& models_;
  const ShapesProgress& progress_;
  ShapesFigures figures_;
  int64_t done_ = 0, all_ = 0;  // pictures
};

}  // namespace

bool Measures(const ShapesOptions& options, const std::string& part) {
  return std::find(options.parts.begin(), options.parts.end(), part) != options.parts.end();
}

absl::Status ValidateShapes(const ShapesOptions& o) {
  FieldFaults faults;
  const std::string known = absl::StrJoin(kShapesParts, ", ");
  if (o.parts.empty()) faults.Add(absl::StrCat("parts is empty; wants some of ", known));
  for (const std::string& part : o.parts) {
    if (std::find(kShapesParts.begin(), kShapesParts.end(), part) == kShapesParts.end())
      faults.Add(absl::StrCat("parts has \"", part, "\"; wants some of ", known));
  }
  faults.Whole("cases", o.cases, 1, kMostCases);
  faults.Whole("curve_cases", o.curve_cases, 0, kMostCases);
  faults.Whole("steps", o.steps, 1, kMaxSteps);
  faults.Number("caption_guidance", o.caption_guidance, 0, kMaxGuidance);
  faults.Number("text_guidance", o.guidance.text, 0, kMaxGuidance);
  faults.Number("image_guidance", o.guidance.image, 0, kMaxGuidance);
  return faults.status();
}

absl::StatusOr<ShapesFigures> MeasureShapes(const ShapesOptions& options, const ShapesModels& models,
                                            const ShapesProgress& progress) {
  return Measurement(options, models, progress).Run();
}

}  // namespace ip2p
