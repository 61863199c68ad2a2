// Loads outside of the lock, swaps under it.
#include "services/edit_server/model_host.h"

#include <filesystem>
#include <optional>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/synchronization/notification.h"
#include "common/base/log.h"
#include "common/base/status_macros.h"

namespace ip2p::edit_server {
namespace {

constexpr size_t kMaxCheckpointName = 255;
constexpr size_t kShown = 64;  // of a caller's text in a message
constexpr int kTrialSide = 64;

}  // namespace

absl::Status TryModel(EditEngine& engine) {
  Image grey{.width = kTrialSide, .height = kTrialSide};
  grey.pixels.assign(size_t{kTrialSide} * kTrialSide * 3, 128);
  EditParams params;
  params.instruction = "trial";
  params.steps = 1;
  params.resolution = kTrialSide;
  absl::Status outcome;
  absl::Notification done;
  EditCallbacks callbacks;
  callbacks.started = [] {};
  callbacks.progress = [](const EditProgress&) {};
  callbacks.done = [&](absl::StatusOr<EditResult> result) {
    outcome = result.status();
    done.Notify();
  };
  auto id = engine.Submit(std::move(grey), std::move(params), absl::InfiniteFuture(), std::move(callbacks));
  IP2P_RETURN_IF_ERROR(id.status());
  done.WaitForNotification();
  if (outcome.ok()) return outcome;
  return absl::FailedPreconditionError(absl::StrCat("the model fails a trial edit: ", outcome.message()));
}

ModelHost::ModelHost(std::vector<ModelSpec> specs, std::string models_dir, Loader loader, const Clock* clock)
    : models_dir_(std::move(models_dir)), loader_(std::move(loader)), clock_(clock) {
  absl::MutexLock lock(&mutex_);
  for (ModelSpec& spec : specs) slots_.push_back({.spec = std::move(spec), .model = {}});
}

ModelHost::~ModelHost() {
  std::vector<Slot> dropped;
  {
    absl::MutexLock lock(&mutex_);
    dropped.swap(slots_);
  }
  dropped.clear();
  absl::MutexLock lock(&mutex_);
  auto none_left = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return engines_ == 0; };
  mutex_.Await(absl::Condition(&none_left));
}

absl::StatusOr<std::shared_ptr<EditEngine>> ModelHost::Load(const ModelSpec& spec) {
  IP2P_ASSIGN_OR_RETURN(std::unique_ptr<EditEngine> engine, loader_(spec));
  {
    absl::MutexLock lock(&mutex_);
    ++engines_;
  }
  return std::shared_ptr<EditEngine>(engine.release(), [this](EditEngine* last) {
    reaper_.Post([this, last] {
      delete last;
      absl::MutexLock lock(&mutex_);
      --engines_;
    });
  });
}

absl::Status ModelHost::LoadAll() {
  std::vector<ModelSpec> specs;
  {
    absl::MutexLock lock(&mutex_);
    for (const Slot& slot : slots_) specs.push_back(slot.spec);
  }
  for (size_t i = 0; i < specs.size(); ++i) {
    const absl::Time start = clock_->Now();
    absl::StatusOr<std::shared_ptr<EditEngine>> engine = Load(specs[i]);
    if (!engine.ok()) {
      return absl::Status(engine.status().code(),
                          absl::StrCat("model ", specs[i].name, ": ", engine.status().message()));
    }
    Log(LogLevel::kInfo, "model loaded",
        {{"model", specs[i].name},
         {"precision", (*engine)->precision_name()},
         {"ms", absl::ToInt64Milliseconds(clock_->Now() - start)}});
    absl::MutexLock lock(&mutex_);
    slots_[i].model = {specs[i].name, *std::move(engine), 1, clock_->Now()};
  }
  return absl::OkStatus();
}

absl::StatusOr<size_t> ModelHost::Find(absl::string_view name) const {
  if (name.empty()) return size_t{0};
  for (size_t i = 0; i < slots_.size(); ++i) {
    if (slots_[i].spec.name == name) return i;
  }
  const auto add_name = [](std::string* out, const Slot& slot) { out->append(slot.spec.name); };
  return absl::NotFoundError(absl::StrCat("model is \"", absl::CHexEscape(name.substr(0, kShown)),
                                          "\"; wants one of ", absl::StrJoin(slots_, ", ", add_name)));
}

ModelState ModelHost::StateOf(const Slot& slot) {
  return {slot.model, slot.reloading, slot.last_error, slot.last_error_at};
}

absl::StatusOr<ModelState> ModelHost::GetState(absl::string_view name) const {
  absl::MutexLock lock(&mutex_);
  IP2P_ASSIGN_OR_RETURN(const size_t i, Find(name));
  if (slots_[i].model.engine == nullptr) {
    return absl::UnavailableError(absl::StrCat("model ", slots_[i].spec.name, " is still being loaded"));
  }
  return StateOf(slots_[i]);
}

absl::StatusOr<LoadedModel> ModelHost::Get(absl::string_view name) const {
  IP2P_ASSIGN_OR_RETURN(ModelState state, GetState(name));
  return std::move(state.model);
}

std::vector<ModelState> ModelHost::List() const {
  absl::MutexLock lock(&mutex_);
  std::vector<ModelState> states;
  for (const Slot& slot : slots_) {
    if (slot.model.engine != nullptr) states.push_back(StateOf(slot));
  }
  return states;
}

std::string ModelHost::Label(absl::string_view name) const {
  absl::MutexLock lock(&mutex_);
  const absl::StatusOr<size_t> i = Find(name);
  return i.ok() ? slots_[*i].spec.name : "unknown";
}

absl::StatusOr<ModelSpec> ModelHost::SpecFor(const Slot& slot, const std::string& checkpoint) const {
  if (checkpoint.empty()) return slot.spec;
  if (models_dir_.empty()) {
    return absl::FailedPreconditionError(
        "checkpoint is set; this server has no folder of models to find it in");
  }
  const std::filesystem::path relative(checkpoint);
  bool inside = relative.is_relative() && checkpoint.size() <= kMaxCheckpointName &&
                checkpoint.find('\0') == std::string::npos;
  for (const auto& part : relative) inside = inside && part != "..";
  if (!inside) {
    return absl::InvalidArgumentError(
        absl::StrCat("checkpoint is no relative name of at most ", kMaxCheckpointName,
                     " bytes without \"..\"; wants a name in the folder of models"));
  }
  ModelSpec spec = slot.spec;
  spec.path = (std::filesystem::path(models_dir_) / relative).string();
  return spec;
}

absl::StatusOr<ModelState> ModelHost::Reload(absl::string_view name, const std::string& checkpoint) {
  size_t index = 0;
  ModelSpec spec;
  {
    absl::MutexLock lock(&mutex_);
    IP2P_ASSIGN_OR_RETURN(index, Find(name));
    Slot& slot = slots_[index];
    if (slot.model.engine == nullptr) return absl::UnavailableError("the model is still being loaded");
    if (slot.reloading) return absl::AbortedError("another reload of this model is going on");
    IP2P_ASSIGN_OR_RETURN(spec, SpecFor(slot, checkpoint));
    slot.reloading = true;
  }
  absl::StatusOr<std::shared_ptr<EditEngine>> engine = Load(spec);
  absl::Status outcome = engine.status();
  if (outcome.ok()) outcome = TryModel(**engine);
  Log(outcome.ok() ? LogLevel::kInfo : LogLevel::kError, "model reload",
      {{"model", spec.name},
       {"code", absl::StatusCodeToString(outcome.code())},
       {"message", std::string(outcome.message())}});

  std::shared_ptr<EditEngine> old;  // let go after the lock
  absl::MutexLock lock(&mutex_);
  Slot& slot = slots_[index];
  slot.reloading = false;
  slot.last_error = outcome;
  if (!outcome.ok()) {
    slot.last_error_at = clock_->Now();
    return outcome;
  }
  old = std::exchange(slot.model.engine, *std::move(engine));
  slot.model.revision += 1;
  slot.model.loaded_at = clock_->Now();
  slot.spec = spec;
  return StateOf(slot);
}

}  // namespace ip2p::edit_server
