// An edit in this process. The engine calls back on its own thread; events cross to the caller's in a queue.
#include <deque>
#include <filesystem>
#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "common/base/status_macros.h"
#include "common/image/decode.h"
#include "common/pipeline/parameters_text.h"
#include "common/pipeline/unedited.h"
#include "services/cli/edit_task.h"

namespace ip2p {
namespace {

// What the engine told, in order. Ends with `done`.
class EventQueue {
 public:
  EditCallbacks Callbacks() {
    EditCallbacks callbacks;
    callbacks.progress = [this](const EditProgress& progress) {
      absl::MutexLock lock(&mutex_);
      steps_.push_back(progress);
    };
    callbacks.done = [this](absl::StatusOr<EditResult> result) {
      absl::MutexLock lock(&mutex_);
      result_ = std::move(result);
    };
    return callbacks;
  }

  // Waits for the next step; false once there are no more and the edit is done.
  bool NextStep(EditProgress& step) {
    absl::MutexLock lock(&mutex_);
    mutex_.Await(absl::Condition(this, &EventQueue::HasNews));
    if (steps_.empty()) return false;
    step = std::move(steps_.front());
    steps_.pop_front();
    return true;
  }

  absl::StatusOr<EditResult> TakeResult() {
    absl::MutexLock lock(&mutex_);
    return *std::move(result_);
  }

 private:
  bool HasNews() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return !steps_.empty() || result_.has_value();
  }

  absl::Mutex mutex_;
  std::deque<EditProgress> steps_ ABSL_GUARDED_BY(mutex_);
  std::optional<absl::StatusOr<EditResult>> result_ ABSL_GUARDED_BY(mutex_);
};

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
  EventQueue events;  // outlives the engine, whose thread calls into it
  IP2P_ASSIGN_OR_RETURN(const std::unique_ptr<EditEngine> engine, torch.create_engine(source, model.engine));
  IP2P_ASSIGN_OR_RETURN(const EditEngine::EditId id,
                        engine->Submit(std::move(photo), params, deadline, events.Callbacks()));
  const Cancellation::Scope scope(cancellation, [&engine, id] { engine->Cancel(id); });
  EditProgress step;
  while (events.NextStep(step)) Tell(step, listener);
  return events.TakeResult();
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
  IP2P_ASSIGN_OR_RETURN(DecodedImage photo, DecodeImage(task.photo));
  IP2P_RETURN_IF_ERROR(ValidateEdit(task.params, photo.image));
  absl::StatusOr<EditResult> result =
      task.params.instruction.empty()
          ? Unedited(std::move(photo.image), task.params)
          : RunEngine(*torch, model, std::move(photo.image), task.params, deadline, listener, cancellation);
  if (!result.ok()) return result.status();
  EditAnswer answer;
  answer.instruction_truncated = result->instruction_truncated;
  answer.negative_truncated = result->negative_truncated;
  answer.model = ModelName(model.path);
  for (const EditOutput& output : result->outputs) {
    EncodeOptions options = task.output;
    if (task.embed_parameters) options.parameters = ParametersText(result->params, output, /*model=*/"");
    IP2P_ASSIGN_OR_RETURN(std::string bytes, EncodeImage(output.image, options));
    answer.files.push_back({std::move(bytes), output.seed, output.image.width, output.image.height});
  }
  return answer;
}

}  // namespace ip2p
