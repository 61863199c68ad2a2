// An edit in this process.
#include <filesystem>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/image/decode.h"
#include "common/pipeline/masked_edit.h"
#include "common/pipeline/parameters_text.h"
#include "common/pipeline/pending_edits.h"
#include "common/pipeline/unedited.h"
#include "services/cli/edit_task.h"

namespace ip2p {
namespace {

void Tell(const EditProgress& progress, EditListener& listener) {
  listener.OnStep(progress.output, progress.step);
  if (!progress.preview) return;
  const absl::StatusOr<std::string> png = EncodeImage(*progress.preview);
  if (png.ok()) listener.OnPreview(progress.output, progress.step, *png);
}

absl::StatusOr<EditResult> RunEngine(const TorchVerbs& torch, const LocalModel& model, Image photo,
                                     const EditParams& params, absl::Time deadline, EditListener& listener,
                                     Cancellation& cancellation) {
  listener.OnLoading();
  IP2P_ASSIGN_OR_RETURN(const ModelSource source, OpenModel(model.path, model.open));
  IP2P_ASSIGN_OR_RETURN(const std::unique_ptr<EditEngine> engine, torch.create_engine(source, model.engine));
  PendingEdits edits(*engine);
  IP2P_RETURN_IF_ERROR(edits.Add(std::move(photo), params, deadline));
  const Cancellation::Scope scope(cancellation, [&edits] { edits.Cancel(); });
  while (const std::optional<PendingEdits::Step> step = edits.NextStep()) Tell(step->progress, listener);
  return edits.Take(0);
}

absl::StatusOr<std::shared_ptr<const Mask>> DecodedMask(const std::string& file) {
  const absl::StatusOr<DecodedImage> decoded = DecodeImage(file);
  if (decoded.ok()) return std::make_shared<const Mask>(MaskFromImage(decoded->image));
  return absl::Status(decoded.status().code(), absl::StrCat("mask: ", decoded.status().message()));
}

// The last part of the path, without the extension: no path goes into a picture.
std::string ModelName(const std::string& path) {
  const std::filesystem::path p(path);
  return (p.has_filename() ? p : p.parent_path()).stem().string();
}

}  // namespace

absl::StatusOr<EditAnswer> EditLocally(const TorchVerbs* torch, const LocalModel& model, const EditTask& task,
                                       EditListener& listener, Cancellation& cancellation) {
  const absl::Time deadline = absl::Now() + task.timeout;
  IP2P_ASSIGN_OR_RETURN(const DecodedImage photo, DecodeImage(task.photo));
  EditParams params = task.params;
  if (!task.mask.empty()) {
    IP2P_ASSIGN_OR_RETURN(params.mask, DecodedMask(task.mask));
  }
  IP2P_RETURN_IF_ERROR(ValidateEdit(params, photo.image));
  EditParams unedited = params;
  if (unedited.resolution == kNativeResolution) unedited.resolution = ModelConfig().native_resolution();
  absl::StatusOr<EditResult> result =
      params.instruction.empty()
          ? Unedited(photo.image, unedited)
          : RunEngine(*torch, model, photo.image, params, deadline, listener, cancellation);
  if (!result.ok()) return result.status();
  IP2P_RETURN_IF_ERROR(KeepTheRest(photo.image, *result));
  EditAnswer answer;
  answer.instruction_truncated = result->instruction_truncated;
  answer.negative_truncated = result->negative_truncated;
  answer.resolution = result->params.resolution;
  answer.model = ModelName(model.path);
  for (const EditOutput& output : result->outputs) {
    EncodeOptions options = task.output;
    if (task.embed_parameters) options.parameters = ParametersText(result->params, output, /*model=*/"");
    IP2P_ASSIGN_OR_RETURN(std::string bytes, EncodeImage(output.image, options));
    std::string mask;
    if (!output.mask.values.empty()) {
      IP2P_ASSIGN_OR_RETURN(mask, EncodeImage(MaskImage(output.mask)));
    }
    answer.files.push_back(
        {std::move(bytes), output.seed, output.image.width, output.image.height, std::move(mask)});
  }
  return answer;
}

}  // namespace ip2p
