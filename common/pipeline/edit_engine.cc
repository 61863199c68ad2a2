// The engine's thread: admit, step, finish, until told to stop.
#include "common/pipeline/edit_engine.h"

#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>
#include <atomic>
#include <deque>
#include <future>
#include <list>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_format.h"
#include "absl/synchronization/mutex.h"
#include "common/base/status_macros.h"
#include "common/pipeline/catch_torch.h"
#include "common/pipeline/denoise_batch.h"
#include "common/pipeline/edit_job.h"
#include "common/pipeline/step_cost.h"
#include "common/pipeline/torch_options.h"

namespace ip2p {
namespace {

class Engine final : public EditEngine {
 public:
  Engine(const EngineOptions& options, EngineObserver* observer)
      : options_(options), observer_(observer != nullptr ? *observer : silent_) {}

  ~Engine() override {
    {
      absl::MutexLock lock(&mutex_);
      stopping_ = true;
    }
    if (thread_.joinable()) thread_.join();
  }

  // Loads on the engine's own thread, whose intra-op pool is the one that will be used.
  absl::Status Start(const ModelSource& source) {
    std::promise<absl::Status> loaded;
    std::future<absl::Status> outcome = loaded.get_future();
    thread_ = std::thread([this, &source, &loaded] {
      torch::NoGradGuard no_grad;
      absl::Status status = Load(source);
      const bool ok = status.ok();
      loaded.set_value(std::move(status));  // `source` and `loaded` are gone after this
      if (ok) Run();
    });
    return outcome.get();
  }

  absl::StatusOr<EditId> Submit(Image input, EditParams params, absl::Time deadline,
                                EditCallbacks callbacks) override {
    const EditId id = next_id_++;
    if (params.resolution == kNativeResolution) params.resolution = source_config_.native_resolution();
    IP2P_ASSIGN_OR_RETURN(EditOrder order,
                          MakeOrder(id, input, std::move(params), deadline, std::move(callbacks)));
    absl::MutexLock lock(&mutex_);
    queued_.push_back(std::move(order));
    return id;
  }

  void Cancel(EditId id) override {
    absl::MutexLock lock(&mutex_);
    const bool queued =
        std::any_of(queued_.begin(), queued_.end(), [&](const EditOrder& o) { return o.id == id; });
    if (queued || running_ids_.contains(id)) cancelled_.insert(id);
  }

  int waiting() const override {
    absl::MutexLock lock(&mutex_);
    return static_cast<int>(queued_.size());
  }

  int running() const override {
    absl::MutexLock lock(&mutex_);
    return static_cast<int>(running_ids_.size());
  }

  absl::Duration Estimate(const EditParams& params) const override {
    const int side = (params.resolution > 0 ? params.resolution : source_config_.native_resolution()) /
                     source_config_.vae.downscale();
    absl::Duration ahead = absl::ZeroDuration();
    {
      absl::MutexLock lock(&mutex_);
      for (const EditOrder& order : queued_) {
        ahead += Cost(order.params, order.latent_pixels(source_config_.vae.downscale()));
      }
    }
    return ahead + absl::Nanoseconds(running_work_ns_.load()) + Cost(params, side * side);
  }

  const ModelConfig& config() const override { return source_config_; }
  std::string precision_name() const override { return PrecisionName(precision_); }

 private:
  absl::Status Load(const ModelSource& source) {
    if (options_.max_batch < 1) {
      return absl::InvalidArgumentError(
          absl::StrFormat("max_batch is %d; wants at least 1", options_.max_batch));
    }
    const UNetConfig& unet = source.config.unet;
    if (unet.in_channels != 2 * source.config.vae.latent_channels) {
      return absl::FailedPreconditionError(
          absl::StrFormat("the UNet takes %d channels; wants %d, as an InstructPix2Pix model has",
                          unet.in_channels, 2 * source.config.vae.latent_channels));
    }
    IP2P_ASSIGN_OR_RETURN(torch::Device device, ParseDevice(options_.device));
    precision_ = ChoosePrecision(options_.precision, device);
    HoldPrecision(precision_, device);
    source_config_ = source.config;
    if (options_.threads > 0) at::set_num_threads(options_.threads);
    auto loaded = CatchTorch("loading the model", [&] {
      return LoadStableDiffusion(source, {.device = device, .dtype = DtypeOf(precision_)});
    });
    IP2P_RETURN_IF_ERROR(loaded.status());
    model_ = *std::move(loaded);
    schedule_ = std::make_unique<NoiseSchedule>(source.config.scheduler);
    batch_ = std::make_unique<DenoiseBatch>(*model_, *schedule_);
    batch_limit_ = options_.max_batch;
    return absl::OkStatus();
  }

  void Run() {
    while (WaitForWork()) {
      GiveUp();
      Admit();
      if (!items_.empty()) Step();
    }
    const absl::Status stopped = absl::CancelledError("the engine is shutting down");
    DropRunning([](const EditJob&) { return true; }, [&](const EditJob&) { return stopped; });
    std::deque<EditOrder> left;
    {
      absl::MutexLock lock(&mutex_);
      left.swap(queued_);
    }
    for (EditOrder& order : left) order.callbacks.done(stopped);
  }

  // False when it is time to stop.
  bool WaitForWork() {
    absl::MutexLock lock(&mutex_);
    if (items_.empty() && jobs_.empty()) {
      auto wanted = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return stopping_ || !queued_.empty(); };
      mutex_.Await(absl::Condition(&wanted));
    }
    return !stopping_;
  }

  // Drops edits that were cancelled or ran out of time, waiting or running.
  void GiveUp() {
    const absl::Time now = absl::Now();
    absl::flat_hash_set<EditId> cancelled;
    std::vector<std::pair<EditOrder, absl::Status>> dropped;
    auto verdict = [&](const EditOrder& order) -> absl::Status {
      if (cancelled.contains(order.id)) return absl::CancelledError("the edit was cancelled");
      if (order.deadline <= now)
        return absl::DeadlineExceededError("the deadline passed before the edit was done");
      return absl::OkStatus();
    };
    {
      absl::MutexLock lock(&mutex_);
      cancelled.swap(cancelled_);
      for (auto it = queued_.begin(); it != queued_.end();) {
        absl::Status status = verdict(*it);
        if (status.ok()) {
          ++it;
        } else {
          dropped.emplace_back(std::move(*it), std::move(status));
          it = queued_.erase(it);
        }
      }
    }
    for (auto& [order, status] : dropped) order.callbacks.done(status);
    DropRunning([&](const EditJob& job) { return !verdict(job.order).ok(); },
                [&](const EditJob& job) { return verdict(job.order); });
  }

  // Fills the batch: first what was parked, then the outputs that running edits still owe, then the queue, in
  // order.
  void Admit() {
    while (!parked_.empty() && static_cast<int>(items_.size()) < batch_limit_) {
      items_.push_back(std::move(parked_.front()));
      parked_.pop_front();
    }
    while (static_cast<int>(items_.size()) < batch_limit_) {
      auto owing = std::find_if(jobs_.begin(), jobs_.end(), [](const std::shared_ptr<EditJob>& job) {
        return job->started_outputs < job->order.params.count;
      });
      if (owing != jobs_.end()) {
        absl::StatusOr<DenoiseItem> item = CatchTorch(
            "starting an edit", [&] { return StartOutput(*model_, *schedule_, *owing, next_serial_++); });
        if (item.ok()) {
          items_.push_back(*std::move(item));
        } else {
          Fail(*owing, item.status());
        }
        continue;
      }
      std::optional<EditOrder> order = NextOrder();
      if (!order.has_value()) return;
      StartJob(*std::move(order));
      GiveUp();  // preparing takes seconds on a large photo
    }
  }

  std::optional<EditOrder> NextOrder() {
    absl::MutexLock lock(&mutex_);
    if (queued_.empty()) return std::nullopt;
    EditOrder order = std::move(queued_.front());
    queued_.pop_front();
    running_ids_.insert(order.id);
    return order;
  }

  void StartJob(EditOrder order) {
    if (order.callbacks.started) order.callbacks.started();
    const EditId id = order.id;
    auto done = order.callbacks.done;
    absl::StatusOr<std::shared_ptr<EditJob>> job =
        CatchTorch("preparing the edit", [&] { return PrepareJob(*model_, std::move(order), observer_); });
    if (!job.ok()) {
      Retire(id);
      done(job.status());
      return;
    }
    jobs_.push_back(*std::move(job));
    if (jobs_.back()->finished_outputs == jobs_.back()->order.params.count) Finish(jobs_.back());
  }

  // One evaluation for the edits of one latent size: those that have waited longest.
  void Step() {
    std::vector<DenoiseItem*> chosen;
    const DenoiseItem& first = items_.front();
    int samples = 0;
    for (DenoiseItem& item : items_) {
      if (item.job->image_latents.sizes() == first.job->image_latents.sizes()) {
        chosen.push_back(&item);
        samples += static_cast<int>(item.job->branches.size());
      }
    }
    const int pixels = LatentPixels(*first.job);
    const absl::Time start = absl::Now();
    absl::StatusOr<std::vector<torch::Tensor>> denoised =
        CatchTorch("denoising", [&] { return batch_->Evaluate(chosen); });
    if (!denoised.ok()) {
      Recover(chosen, denoised.status());
      return;
    }
    const absl::Duration took = absl::Now() - start;
    observer_.OnStep(static_cast<int>(chosen.size()), took);
    observer_.OnStage("denoise", took);
    cost_.RecordEvaluation(samples, pixels, took);
    std::vector<std::pair<std::shared_ptr<EditJob>, absl::Status>> failed;
    for (size_t i = 0; i < chosen.size(); ++i) {
      absl::Status advanced = CatchTorch("sampling", [&] {
        Advance(*chosen[i], (*denoised)[i]);
        return absl::OkStatus();
      });
      if (!advanced.ok()) failed.emplace_back(chosen[i]->job, std::move(advanced));
    }
    for (const auto& [job, status] : failed) Fail(job, status);
    CollectFinished();
    // Other sizes come first next time.
    std::stable_partition(items_.begin(), items_.end(),
                          [&](const DenoiseItem& item) { return LatentPixels(*item.job) != pixels; });
    UpdateRunningWork();
  }

  // A batch that does not fit in memory is tried smaller; an edit that fails alone fails.
  void Recover(const std::vector<DenoiseItem*>& chosen, const absl::Status& status) {
    if (absl::IsResourceExhausted(status) && items_.size() > 1) {
      batch_limit_ = std::max<int>(1, static_cast<int>(items_.size()) / 2);
      // Progress is kept: the surplus waits outside the batch with its sampler.
      while (static_cast<int>(items_.size()) > batch_limit_) {
        parked_.push_back(std::move(items_.back()));
        items_.pop_back();
      }
      return;
    }
    std::vector<std::shared_ptr<EditJob>> failed;
    failed.reserve(chosen.size());
    for (const DenoiseItem* item : chosen) failed.push_back(item->job);
    for (const std::shared_ptr<EditJob>& job : failed) Fail(job, status);
  }

  void Advance(DenoiseItem& item, torch::Tensor denoised) {
    const EditOrder& order = item.job->order;
    const int before = item.sampler->step();
    const torch::Tensor shown = denoised;
    item.sampler->Feed(std::move(denoised));
    const int step = item.sampler->step();
    if (step == before || !order.callbacks.progress) return;
    EditProgress progress{.output = item.output, .step = step, .steps = order.params.steps};
    const int every = order.params.preview_every;
    if (every > 0 && step % every == 0 && item.job->preview.has_value()) {
      progress.preview = item.job->preview->Draw(shown);
    }
    order.callbacks.progress(progress);
  }

  void CollectFinished() {
    std::vector<DenoiseItem> finished;
    for (auto it = items_.begin(); it != items_.end();) {
      if (it->sampler->done()) {
        finished.push_back(std::move(*it));
        it = items_.erase(it);
      } else {
        ++it;
      }
    }
    for (DenoiseItem& item : finished) {
      if (std::find(jobs_.begin(), jobs_.end(), item.job) == jobs_.end()) continue;  // a sibling failed it
      absl::Status status =
          CatchTorch("decoding the edit", [&] { return FinishOutput(*model_, item, observer_); });
      if (!status.ok()) {
        Fail(item.job, status);
      } else if (item.job->finished_outputs == item.job->order.params.count) {
        cost_.RecordFixed(LatentPixels(*item.job) * item.job->order.params.count, item.job->fixed_time);
        Finish(item.job);
      }
    }
  }

  // Takes a copy, here and below: `job` may be the very element that is erased.
  void Finish(std::shared_ptr<EditJob> job) {
    Remove(job);
    job->order.callbacks.done(std::move(job->result));
  }

  void Fail(std::shared_ptr<EditJob> job, const absl::Status& status) {
    if (!Remove(job)) return;
    job->order.callbacks.done(status);
  }

  // Takes the job and its items out; false when it was out already.
  bool Remove(const std::shared_ptr<EditJob>& job) {
    auto it = std::find(jobs_.begin(), jobs_.end(), job);
    if (it == jobs_.end()) return false;
    jobs_.erase(it);
    auto belongs = [&](const DenoiseItem& item) { return item.job == job; };
    items_.erase(std::remove_if(items_.begin(), items_.end(), belongs), items_.end());
    parked_.erase(std::remove_if(parked_.begin(), parked_.end(), belongs), parked_.end());
    Retire(job->order.id);
    UpdateRunningWork();
    return true;
  }

  template <typename Chosen, typename Why>
  void DropRunning(Chosen chosen, Why why) {
    std::vector<std::shared_ptr<EditJob>> dropped;
    for (const std::shared_ptr<EditJob>& job : jobs_) {
      if (chosen(*job)) dropped.push_back(job);
    }
    for (const std::shared_ptr<EditJob>& job : dropped) Fail(job, why(*job));
  }

  void Retire(EditId id) {
    absl::MutexLock lock(&mutex_);
    running_ids_.erase(id);
    cancelled_.erase(id);
  }

  int LatentPixels(const EditJob& job) const {
    return job.order.latent_pixels(source_config_.vae.downscale());
  }

  absl::Duration Cost(const EditParams& params, int pixels) const {
    const int branches = static_cast<int>(
        GuidanceBranches({.text = params.cfg_text, .image = params.cfg_image}, params.auto_mask.has_value())
            .size());
    return cost_.Evaluations(EvaluationsFor(params.sampler, params.steps) * params.count, branches, pixels) +
           cost_.Fixed(pixels * params.count);
  }

  void UpdateRunningWork() {
    absl::Duration left = absl::ZeroDuration();
    for (const std::shared_ptr<EditJob>& job : jobs_) {
      const int pixels = LatentPixels(*job);
      const int unfinished = job->order.params.count - job->finished_outputs;
      left += Cost(job->order.params, pixels) * unfinished / job->order.params.count;
    }
    for (const DenoiseItem& item : items_) {  // the part of running outputs that is done
      const EditParams& params = item.job->order.params;
      left -= cost_.Evaluations(EvaluationsFor(params.sampler, item.sampler->step()),
                                static_cast<int>(item.job->branches.size()), LatentPixels(*item.job));
    }
    running_work_ns_ = absl::ToInt64Nanoseconds(std::max(left, absl::ZeroDuration()));
  }

  const EngineOptions options_;
  EngineObserver silent_;
  EngineObserver& observer_;

  // Set by Load, constant afterwards.
  Precision precision_ = Precision::kFloat32;  // never kAuto
  ModelConfig source_config_;
  std::shared_ptr<const StableDiffusion> model_;
  std::unique_ptr<NoiseSchedule> schedule_;

  // The engine's thread only.
  std::unique_ptr<DenoiseBatch> batch_;
  std::vector<std::shared_ptr<EditJob>> jobs_;
  std::vector<DenoiseItem> items_;
  std::deque<DenoiseItem> parked_;
  int batch_limit_ = 1;
  uint64_t next_serial_ = 1;

  StepCost cost_;
  std::atomic<EditId> next_id_ = 1;
  std::atomic<int64_t> running_work_ns_ = 0;

  mutable absl::Mutex mutex_;
  std::deque<EditOrder> queued_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_set<EditId> running_ids_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_set<EditId> cancelled_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;

  std::thread thread_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<EditEngine>> EditEngine::Create(const ModelSource& source,
                                                               const EngineOptions& options,
                                                               EngineObserver* observer) {
  auto engine = std::make_unique<Engine>(options, observer);
  IP2P_RETURN_IF_ERROR(engine->Start(source));
  return engine;
}

}  // namespace ip2p
