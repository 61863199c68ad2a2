#include "services/cli/evaluate_shapes.h"

#include <atomic>
#include <memory>

#include "absl/strings/str_cat.h"
#include "common/base/share_path.h"
#include "common/base/status_macros.h"
#include "common/evaluation/shapes_report.h"
#include "services/cli/count_progress.h"

namespace ip2p {
namespace {

struct Paths {
  std::string edit, clip, text_to_image;
};

Paths PathsOf(const ShapesEvaluation& evaluation, const LocalModel& edit) {
  const std::string folder = evaluation.models.empty() ? SharePath("models/shapes") : evaluation.models;
  const auto own = [&folder](const std::string& given, const char* name) {
    return given.empty() ? absl::StrCat(folder, "/", name) : given;
  };
  return {own(edit.path, "edit"), own(evaluation.clip, "clip"),
          own(evaluation.text_to_image, "text-to-image")};
}

RunSettings SettingsOf(const ShapesOptions& options, const std::string& precision) {
  return {{"profile", "shapes"},
          {"parts", options.parts},
          {"cases", options.cases},
          {"curve_cases", options.curve_cases},
          {"seed", options.seed},
          {"steps", options.steps},
          {"caption_guidance", options.caption_guidance},
          {"text_guidance", options.guidance.text},
          {"image_guidance", options.guidance.image},
          {"precision", precision}};
}

}  // namespace

absl::Status EvaluateShapes(const ShapesEvaluation& evaluation, const LocalModel& edit, Console& console) {
  IP2P_RETURN_IF_ERROR(ValidateShapes(evaluation.options));
  const Paths paths = PathsOf(evaluation, edit);
  console.err << "loading the models\n" << std::flush;
  IP2P_ASSIGN_OR_RETURN(const ModelSource source, OpenModel(paths.edit, edit.open));
  // Another thread's pool beside the engine's makes both sleep at every barrier, where cores are few.
  std::unique_ptr<PartProbe> parts;
  if (Measures(evaluation.options, "vae") || Measures(evaluation.options, "clip")) {
    IP2P_ASSIGN_OR_RETURN(const ClipSource clip, OpenClip(paths.clip));
    IP2P_ASSIGN_OR_RETURN(parts, console.torch->create_probe(source, clip, edit.engine.device));
  }
  IP2P_ASSIGN_OR_RETURN(const std::unique_ptr<EditEngine> editor,
                        console.torch->create_engine(source, edit.engine));
  std::unique_ptr<PairSampler> sampler;
  if (Measures(evaluation.options, "text-to-image")) {
    IP2P_ASSIGN_OR_RETURN(sampler, console.torch->create_sampler({.checkpoint = paths.text_to_image},
                                                                 {.device = edit.engine.device,
                                                                  .precision = edit.engine.precision,
                                                                  .threads = edit.engine.threads}));
  }
  absl::StatusOr<ShapesFigures> figures = absl::UnknownError("");
  {
    CountProgress progress(console, "pictures");
    std::atomic<bool> cancelled = false;
    const Cancellation::Scope scope(console.cancellation, [&cancelled] { cancelled = true; });
    figures = MeasureShapes(
        evaluation.options, {parts.get(), sampler.get(), *editor}, [&](int64_t done, int64_t all) {
          progress.Tell(done, all);
          return cancelled ? absl::CancelledError("the evaluation was given up") : absl::OkStatus();
        });
  }
  IP2P_RETURN_IF_ERROR(figures.status());
  const RunSettings settings = SettingsOf(evaluation.options, editor->precision_name());
  IP2P_RETURN_IF_ERROR(WriteShapes(*figures, settings, evaluation.out_dir));
  console.out << (evaluation.json ? ShapesJson(*figures, settings) : ShapesText(*figures));
  console.err << "wrote " << evaluation.out_dir << "/figures.json and its pictures\n";
  return absl::OkStatus();
}

}  // namespace ip2p
