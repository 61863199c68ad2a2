// Bookkeeping under one lock; pictures and engines are touched outside of it.
#include "services/edit_server/edit_queue.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/base/status_macros.h"
#include "common/image/decode.h"
#include "common/pipeline/masked_edit.h"
#include "common/pipeline/parameters_text.h"
#include "common/pipeline/unedited.h"
#include "common/rpc/status.h"

namespace ip2p::edit_server {
namespace {

constexpr absl::Duration kLeastRetry = absl::Seconds(1);

absl::Duration Whole(absl::Duration duration) { return absl::Ceil(duration, absl::Milliseconds(100)); }

absl::StatusOr<std::shared_ptr<const EditAnswer>> AnswerOf(const EditRun& run, const EditResult& result) {
  auto answer = std::make_shared<EditAnswer>();
  answer->params = result.params;
  answer->params.mask.reset();  // up to 25 MB, and answers are remembered
  answer->model = run.model.name;
  answer->instruction_truncated = result.instruction_truncated;
  answer->negative_truncated = result.negative_truncated;
  answer->request_id = run.task.request_id;
  answer->queue_time = run.started - run.admitted;
  answer->run_time = run.finished - run.started;
  for (const EditOutput& output : result.outputs) {
    EncodeOptions options = run.task.output;
    if (run.task.embed_parameters) options.parameters = ParametersText(result.params, output, run.model.name);
    IP2P_ASSIGN_OR_RETURN(std::string file, EncodeImage(output.image, options));
    std::string mask;
    if (!output.mask.values.empty()) {
      IP2P_ASSIGN_OR_RETURN(mask, EncodeImage(MaskImage(output.mask)));
    }
    answer->outputs.push_back({std::move(file), options.format, output.image.width, output.image.height,
                               output.seed, std::move(mask)});
  }
  return answer;
}

// Errors say which of a request's pictures it was.
absl::StatusOr<Image> Decoded(const char* field, const std::string& file) {
  absl::StatusOr<DecodedImage> decoded = DecodeImage(file);
  if (decoded.ok()) return std::move(decoded->image);
  return absl::Status(decoded.status().code(), absl::StrCat(field, ": ", decoded.status().message()));
}

}  // namespace

EditQueue::EditQueue(ModelHost& models, EditMetrics& metrics, const QueueLimits& limits, const Clock* clock)
    : models_(models),
      metrics_(metrics),
      limits_(limits),
      clock_(clock),
      memory_(limits.remembered_bytes, limits.remembered_count),
      codecs_(limits.codec_threads) {}

EditQueue::~EditQueue() {
  StopAdmitting();
  absl::flat_hash_set<Ticket> left;
  {
    absl::MutexLock lock(&mutex_);
    left = runs_;
  }
  for (const Ticket& run : left) run->GiveUp();
  WaitIdle(absl::InfiniteFuture());
}

absl::Status EditQueue::CheckRoom(const EditTask& task, absl::Time deadline, absl::Duration estimate) const {
  // While the estimate is the time for all edits before a new one and itself, a place is free after one of
  // them.
  const absl::Duration one = estimate / (static_cast<int>(runs_.size()) + 1);
  const absl::Duration retry = std::max(kLeastRetry, Whole(one));
  const auto mine = edits_of_caller_.find(task.caller);
  if (limits_.client_limit > 0 && mine != edits_of_caller_.end() && mine->second >= limits_.client_limit) {
    return WithRetryAfter(
        absl::ResourceExhaustedError(absl::StrFormat("quota is full: %d edits of this caller are under way; "
                                                     "wants fewer than %d",
                                                     mine->second, limits_.client_limit)),
        retry);
  }
  if (waiting_ >= limits_.queue_limit) {
    return WithRetryAfter(
        absl::ResourceExhaustedError(absl::StrFormat("queue is full: %d edits wait; wants fewer than %d",
                                                     waiting_, limits_.queue_limit)),
        retry);
  }
  const absl::Duration left = deadline - clock_->Now();
  if (left <= absl::ZeroDuration()) {
    return absl::DeadlineExceededError("the deadline passed before the edit was admitted");
  }
  // The estimate assumes the model's own resolution where it is to be the photo's, so it decides nothing
  // then.
  if (task.params.resolution != 0 && !task.params.instruction.empty() && left < estimate / 2) {
    return absl::DeadlineExceededError(absl::StrFormat("deadline is %.1f s away; the estimate is %.1f s",
                                                       absl::ToDoubleSeconds(left),
                                                       absl::ToDoubleSeconds(estimate)));
  }
  return absl::OkStatus();
}

absl::StatusOr<EditQueue::Ticket> EditQueue::Start(EditTask task, absl::Time deadline,
                                                   EditListener* listener) {
  IP2P_ASSIGN_OR_RETURN(LoadedModel model, models_.Get(task.model));
  if (task.params.resolution == kNativeResolution)
    task.params.resolution = model.engine->config().native_resolution();
  const absl::Duration estimate =
      task.params.instruction.empty() ? absl::ZeroDuration() : model.engine->Estimate(task.params);
  while (true) {
    Ticket run;
    std::shared_ptr<const EditAnswer> remembered;
    {
      absl::MutexLock lock(&mutex_);
      if (!admitting_) return absl::UnavailableError("the server is shutting down");
      IP2P_RETURN_IF_ERROR(FindNamed(task, run, remembered));
      if (run == nullptr && remembered == nullptr) {
        IP2P_RETURN_IF_ERROR(CheckRoom(task, deadline, estimate));
        return Admit(std::move(task), std::move(model), deadline, estimate, listener);
      }
    }
    if (remembered != nullptr) {
      listener->OnAccepted({task.request_id, 0, absl::ZeroDuration(), remembered->params});
      listener->OnFinished(remembered, true);
      return Ticket();
    }
    if (run->Join(listener)) return run;
    // It ended or was given up in between: look again.
  }
}

absl::Status EditQueue::FindNamed(const EditTask& task, Ticket& run,
                                  std::shared_ptr<const EditAnswer>& remembered) {
  if (!task.named) return absl::OkStatus();
  const std::string key = RunKey(task);
  uint64_t fingerprint = task.fingerprint;
  if (const auto found = named_.find(key); found != named_.end() && !found->second->given_up()) {
    run = found->second;
    fingerprint = run->task.fingerprint;
  } else if (const AnswerMemory::Entry* entry = memory_.Find(key)) {
    remembered = entry->answer;
    fingerprint = entry->fingerprint;
  }
  if (fingerprint == task.fingerprint) return absl::OkStatus();
  return absl::AlreadyExistsError(
      absl::StrCat("request_id \"", task.request_id, "\" was used for a different request; wants a new one"));
}

EditQueue::Ticket EditQueue::Admit(EditTask task, LoadedModel model, absl::Time deadline,
                                   absl::Duration estimate, EditListener* listener) {
  EditAdmission admission{task.request_id, waiting_, estimate, task.params};
  auto run = std::make_shared<EditRun>(std::move(task), std::move(model), deadline, std::move(admission),
                                       clock_->Now());
  runs_.insert(run);
  ++waiting_;
  ++edits_of_caller_[run->task.caller];
  if (run->task.named) named_[run->key] = run;
  metrics_.OnAdmitted();
  run->Join(listener);  // before anyone else knows of it
  codecs_.Post([this, run] { Decode(run); });
  return run;
}

void EditQueue::Leave(const Ticket& ticket, EditListener* listener, const absl::Status& status) {
  if (ticket != nullptr && ticket->Leave(listener, status)) ticket->GiveUp();
}

void EditQueue::Decode(const Ticket& run) {
  if (run->given_up()) return End(run, absl::CancelledError("the edit was cancelled"));
  const absl::Time start = clock_->Now();
  EditTask& task = run->task;
  absl::StatusOr<Image> photo = Decoded("image", task.photo);
  absl::Status status = photo.status();
  if (status.ok() && !task.mask.empty()) {
    absl::StatusOr<Image> mask = Decoded("mask", task.mask);
    status = mask.status();
    if (status.ok()) task.params.mask = std::make_shared<const Mask>(MaskFromImage(*mask));
  }
  std::string().swap(task.mask);
  if (!KeepsTheRest(task.params)) std::string().swap(task.photo);  // up to 20 MB that nobody needs any more
  metrics_.OnStage("read_image", clock_->Now() - start);
  if (status.ok()) status = ValidateEdit(task.params, *photo);
  if (!status.ok()) return End(run, status);
  if (!task.params.instruction.empty()) return Submit(run, *std::move(photo));

  run->started = clock_->Now();
  absl::StatusOr<EditResult> result = Unedited(*std::move(photo), task.params);
  if (!result.ok()) return End(run, result.status());
  Encode(run, *std::move(result));
}

void EditQueue::Submit(const Ticket& run, Image photo) {
  EditCallbacks callbacks;
  callbacks.started = [this, run] {
    {
      absl::MutexLock lock(&mutex_);
      run->started = clock_->Now();
      --waiting_;
    }
    metrics_.OnStarted(run->started - run->admitted);
  };
  callbacks.progress = [run](const EditProgress& progress) { run->OnProgress(progress); };
  callbacks.done = [this, run](absl::StatusOr<EditResult> result) {
    run->finished = clock_->Now();
    if (!result.ok()) return End(run, result.status());
    codecs_.Post([this, run, edited = *std::move(result)]() mutable { Encode(run, std::move(edited)); });
  };
  const absl::StatusOr<EditEngine::EditId> id =
      run->model.engine->Submit(std::move(photo), run->task.params, run->deadline, std::move(callbacks));
  if (!id.ok()) return End(run, id.status());
  run->OnSubmitted(*id);
}

void EditQueue::Encode(const Ticket& run, EditResult result) {
  const absl::Time start = clock_->Now();
  run->finished = std::min(run->finished, start);
  if (KeepsTheRest(run->task.params)) {
    const absl::Status composed = Compose(run, result);
    metrics_.OnStage("compose", clock_->Now() - start);
    if (!composed.ok()) return End(run, composed);
  }
  const absl::Time whole = clock_->Now();
  absl::StatusOr<std::shared_ptr<const EditAnswer>> answer = AnswerOf(*run, result);
  metrics_.OnStage("write_image", clock_->Now() - whole);
  End(run, std::move(answer));
}

absl::Status EditQueue::Compose(const Ticket& run, EditResult& result) {
  if (run->given_up()) return absl::CancelledError("the edit was cancelled");
  IP2P_ASSIGN_OR_RETURN(const Image photo, Decoded("image", run->task.photo));
  std::string().swap(run->task.photo);
  return KeepTheRest(photo, result);
}

void EditQueue::End(const Ticket& run, absl::StatusOr<std::shared_ptr<const EditAnswer>> answer) {
  bool was_started = true;
  {
    absl::MutexLock lock(&mutex_);
    if (run->task.params.instruction.empty() || run->started == absl::InfiniteFuture()) {
      was_started = false;  // it never left the queue, or had no need to
      --waiting_;
    }
    if (const auto caller = edits_of_caller_.find(run->task.caller); --caller->second == 0) {
      edits_of_caller_.erase(caller);
    }
    if (const auto named = named_.find(run->key); named != named_.end() && named->second == run)
      named_.erase(named);
    if (run->task.named && answer.ok()) memory_.Remember({run->key, run->task.fingerprint, *answer});
  }
  metrics_.OnOver(answer.status(), was_started, clock_->Now() - run->admitted);
  run->Finish(answer);
  absl::MutexLock lock(&mutex_);
  runs_.erase(run);
}

void EditQueue::StopAdmitting() {
  absl::MutexLock lock(&mutex_);
  admitting_ = false;
}

bool EditQueue::WaitIdle(absl::Time deadline) const {
  absl::MutexLock lock(&mutex_);
  auto idle = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return runs_.empty(); };
  return mutex_.AwaitWithDeadline(absl::Condition(&idle), deadline);
}

int EditQueue::waiting() const {
  absl::MutexLock lock(&mutex_);
  return waiting_;
}

int EditQueue::in_flight() const {
  absl::MutexLock lock(&mutex_);
  return static_cast<int>(runs_.size());
}

}  // namespace ip2p::edit_server
