// Lanes take runs from their front; a run is ended by whoever takes it out of its lane.
#include "services/pair_generator/pair_queue.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "common/base/status_macros.h"
#include "common/rpc/status.h"

namespace ip2p::pair_generator {
namespace {

constexpr absl::Duration kRetryUnmeasured = absl::Seconds(10);
constexpr absl::Duration kBetweenProgress = absl::Milliseconds(250);
constexpr size_t kShown = 64;       // of a caller's text in a message
constexpr double kNewWeight = 0.2;  // of the latest batch in the average

// Pixels of all samples in all steps: what the time of a request is proportional to.
double WorkOf(const PairParams& params, double samples) {
  return samples * params.steps * params.resolution * params.resolution;
}

double SamplesOf(const PairParams& params) {
  return static_cast<double>(params.seeds.empty() ? static_cast<size_t>(params.n_samples)
                                                  : params.seeds.size());
}

}  // namespace

struct PairQueue::Run {
  PairTask task;
  PairListener* listener = nullptr;
  Lane* lane = nullptr;
  absl::Time admitted_at;
  // The queue's lock guards these.
  std::optional<absl::Status> left;  // set: the caller is gone, with this status
  double work_left = 0;
  // The lane's thread.
  absl::Time told_at = absl::InfinitePast();
};

struct PairQueue::Lane {
  std::string name;
  std::unique_ptr<PairSampler> sampler;
  ModelFacts facts;
  // The queue's lock guards these.
  std::deque<Ticket> waiting;
  Ticket running;
  double seconds_per_work = 0;  // 0: not measured
  std::thread thread;
};

PairQueue::PairQueue(PairMetrics& metrics, const QueueLimits& limits, const Clock* clock)
    : metrics_(metrics), limits_(limits), clock_(clock) {}

PairQueue::~PairQueue() {
  StopAdmitting();
  GiveUp(absl::UnavailableError("the server is stopping"));
  std::vector<std::unique_ptr<Lane>> lanes;
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
    lanes.swap(lanes_);
  }
  for (const auto& lane : lanes) lane->thread.join();
}

void PairQueue::AddModel(const std::string& name, std::unique_ptr<PairSampler> sampler) {
  auto lane = std::make_unique<Lane>();
  lane->name = name;
  lane->facts = {.name = name,
                 .precision = sampler->precision_name(),
                 .clip = sampler->has_clip(),
                 .safety_checker = sampler->has_safety_checker(),
                 .native_resolution = sampler->native_resolution(),
                 .batch_size = sampler->BatchSize(sampler->native_resolution())};
  lane->sampler = std::move(sampler);
  Lane* const mine = lane.get();
  absl::MutexLock lock(&mutex_);
  lanes_.push_back(std::move(lane));
  mine->thread = std::thread([this, mine] { Work(mine); });
}

std::vector<ModelFacts> PairQueue::Models() const {
  absl::MutexLock lock(&mutex_);
  std::vector<ModelFacts> facts;
  for (const auto& lane : lanes_) facts.push_back(lane->facts);
  return facts;
}

absl::StatusOr<PairQueue::Lane*> PairQueue::Find(const std::string& name) const {
  if (lanes_.empty()) return absl::UnavailableError("the models are still being loaded");
  if (name.empty()) return lanes_.front().get();
  for (const auto& lane : lanes_) {
    if (lane->name == name) return lane.get();
  }
  const auto add_name = [](std::string* out, const std::unique_ptr<Lane>& lane) { out->append(lane->name); };
  return absl::NotFoundError(absl::StrCat("model is \"", absl::CHexEscape(name.substr(0, kShown)),
                                          "\"; wants one of ", absl::StrJoin(lanes_, ", ", add_name)));
}

absl::Duration PairQueue::Backlog(const Lane& lane) const {
  double work = lane.running == nullptr ? 0 : lane.running->work_left;
  for (const Ticket& run : lane.waiting) work += run->work_left;
  return absl::Seconds(work * lane.seconds_per_work);
}

absl::Status PairQueue::CheckRoom(const Lane& lane, const PairTask& task, absl::Time deadline,
                                  absl::Duration estimate) const {
  const absl::Duration backlog = Backlog(lane);
  const absl::Duration retry = backlog > absl::ZeroDuration() ? backlog : kRetryUnmeasured;
  if (lane.waiting.size() >= static_cast<size_t>(limits_.queue_limit)) {
    return WithRetryAfter(absl::ResourceExhaustedError(absl::StrCat("the queue holds ", lane.waiting.size(),
                                                                    " requests; wants fewer")),
                          retry);
  }
  const auto mine = requests_of_caller_.find(task.caller);
  if (limits_.client_limit > 0 && mine != requests_of_caller_.end() && mine->second >= limits_.client_limit) {
    return WithRetryAfter(absl::ResourceExhaustedError(absl::StrCat("this caller has ", mine->second,
                                                                    " requests under way; wants fewer")),
                          retry);
  }
  const absl::Duration left = deadline - absl::Now();
  if (left <= absl::ZeroDuration() || left < estimate / 2) {
    return absl::DeadlineExceededError(absl::StrCat("the deadline is ", absl::FormatDuration(left),
                                                    " away; the work takes about ",
                                                    absl::FormatDuration(estimate)));
  }
  return absl::OkStatus();
}

absl::StatusOr<PairQueue::Ticket> PairQueue::Start(PairTask task, absl::Time deadline,
                                                   PairListener* listener) {
  absl::MutexLock lock(&mutex_);
  if (!admitting_) return absl::UnavailableError("the server is stopping");
  IP2P_ASSIGN_OR_RETURN(Lane* const lane, Find(task.model));
  if (!task.precision.empty() && task.precision != lane->facts.precision) {
    return absl::InvalidArgumentError(absl::StrCat("params.precision is ", task.precision, "; wants ",
                                                   lane->facts.precision, ", which model ", lane->name,
                                                   " was loaded in"));
  }
  if (!lane->facts.clip && !task.params.thresholds.all_zero()) {
    return absl::FailedPreconditionError(
        "a threshold is not 0 and no CLIP is loaded; wants all three thresholds 0");
  }
  if (task.native_resolution) task.params.resolution = lane->facts.native_resolution;
  const double work = WorkOf(task.params, SamplesOf(task.params) * static_cast<double>(task.prompts.size()));
  const absl::Duration estimate = lane->seconds_per_work > 0
                                      ? Backlog(*lane) + absl::Seconds(work * lane->seconds_per_work)
                                      : absl::ZeroDuration();
  IP2P_RETURN_IF_ERROR(CheckRoom(*lane, task, deadline, estimate));
  auto run = std::make_shared<Run>();
  run->task = std::move(task);
  run->listener = listener;
  run->lane = lane;
  run->admitted_at = clock_->Now();
  run->work_left = work;
  ++open_;
  ++requests_of_caller_[run->task.caller];
  metrics_.OnAdmitted();
  listener->OnAdmitted(
      {.queue_position = static_cast<int>(lane->waiting.size()) + (lane->running == nullptr ? 0 : 1),
       .estimate = estimate,
       .params = run->task.params,
       .precision = lane->facts.precision});
  lane->waiting.push_back(run);
  return run;
}

void PairQueue::Leave(const Ticket& ticket, const absl::Status& status) {
  if (ticket == nullptr) return;
  {
    absl::MutexLock lock(&mutex_);
    if (!ticket->left) ticket->left = status;
    ticket->work_left = 0;  // nobody after it has to wait for the rest
    std::deque<Ticket>& waiting = ticket->lane->waiting;
    const auto place = std::find(waiting.begin(), waiting.end(), ticket);
    if (place == waiting.end()) return;  // its thread sees it, or it is over
    waiting.erase(place);
    metrics_.OnLeftQueue(clock_->Now() - ticket->admitted_at);
  }
  End(ticket, status);
}

void PairQueue::StopAdmitting() {
  absl::MutexLock lock(&mutex_);
  admitting_ = false;
}

bool PairQueue::WaitIdle(absl::Time deadline) const {
  absl::MutexLock lock(&mutex_);
  const auto idle = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return open_ == 0; };
  return mutex_.AwaitWithDeadline(absl::Condition(&idle), deadline);
}

void PairQueue::GiveUp(const absl::Status& status) {
  std::vector<Ticket> all;
  {
    absl::MutexLock lock(&mutex_);
    for (const auto& lane : lanes_) {
      if (lane->running != nullptr) all.push_back(lane->running);
      all.insert(all.end(), lane->waiting.begin(), lane->waiting.end());
    }
  }
  for (const Ticket& run : all) Leave(run, status);
}

int PairQueue::waiting() const {
  absl::MutexLock lock(&mutex_);
  int count = 0;
  for (const auto& lane : lanes_) count += static_cast<int>(lane->waiting.size());
  return count;
}

void PairQueue::Work(Lane* lane) {
  for (;;) {
    Ticket run;
    {
      absl::MutexLock lock(&mutex_);
      const auto ready = [this, lane]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
        return stopping_ || !lane->waiting.empty();
      };
      mutex_.Await(absl::Condition(&ready));
      if (lane->waiting.empty()) return;
      run = lane->running = lane->waiting.front();
      lane->waiting.pop_front();
      metrics_.OnLeftQueue(clock_->Now() - run->admitted_at);
    }
    const absl::Status status = Make(*lane, *run);
    {
      absl::MutexLock lock(&mutex_);
      lane->running = nullptr;
    }
    End(run, status);
  }
}

absl::Status PairQueue::Make(Lane& lane, Run& run) {
  for (size_t i = 0; i < run.task.prompts.size(); ++i) IP2P_RETURN_IF_ERROR(MakePrompt(lane, run, i));
  return absl::OkStatus();
}

absl::Status PairQueue::MakePrompt(Lane& lane, Run& run, size_t position) {
  const absl::Time start = clock_->Now();
  const int64_t index = run.task.first_prompt_index + static_cast<int64_t>(position);
  PairHooks hooks;
  hooks.sample = [&](const Sample& sample) {
    metrics_.OnSample(sample);
    run.listener->OnSample(sample);
  };
  hooks.step = [&](const PairStep& step) { return OnStep(run, index, step); };
  IP2P_ASSIGN_OR_RETURN(PromptPairs pairs, GeneratePairs(*lane.sampler, run.task.prompts[position], index,
                                                         run.task.params, hooks));
  const absl::Duration took = clock_->Now() - start;
  metrics_.OnPrompt(pairs, took);
  {
    absl::MutexLock lock(&mutex_);
    const double work = WorkOf(run.task.params, static_cast<double>(pairs.samples.size()));
    const double cost = absl::ToDoubleSeconds(took) / std::max(work, 1.0);
    double& average = lane.seconds_per_work;
    average = average > 0 ? (1 - kNewWeight) * average + kNewWeight * cost : cost;
    const double prompts_left = static_cast<double>(run.task.prompts.size() - position - 1);
    run.work_left = run.left ? 0 : WorkOf(run.task.params, SamplesOf(run.task.params) * prompts_left);
  }
  for (size_t i = 0; i < pairs.kept.size(); ++i) {
    IP2P_RETURN_IF_ERROR(run.listener->Room());
    run.listener->OnPair(pairs.kept[i], std::move(pairs.pairs[i]));
  }
  run.listener->OnPrompt(index, pairs);
  return absl::OkStatus();
}

absl::Status PairQueue::OnStep(Run& run, int64_t prompt_index, const PairStep& step) {
  {
    absl::MutexLock lock(&mutex_);
    if (run.left) return *run.left;
  }
  const absl::Time now = clock_->Now();
  if (now - run.told_at >= kBetweenProgress) {
    run.told_at = now;
    run.listener->OnProgress(prompt_index, step);
  }
  return run.listener->Room();
}

void PairQueue::End(const Ticket& run, const absl::Status& status) {
  if (absl::IsCancelled(status) || absl::IsDeadlineExceeded(status)) metrics_.OnCancelled();
  run->listener->OnDone(status);
  absl::MutexLock lock(&mutex_);
  const auto mine = requests_of_caller_.find(run->task.caller);
  if (--mine->second == 0) requests_of_caller_.erase(mine);
  --open_;
}

}  // namespace ip2p::pair_generator
