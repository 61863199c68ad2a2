// See example_loader.h. Examples are numbered by tickets in the order that Next gives them.
#include "common/training/example_loader.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/base/permutation.h"
#include "common/base/status_macros.h"

namespace ip2p {
namespace {

constexpr int kReplacements = 8;  // tried before a damaged example ends the run

bool IsDiskFault(const absl::Status& status) { return absl::IsUnavailable(status); }

}  // namespace

ExamplePlace PlaceAt(int64_t size, int group, uint64_t seed, int64_t position) {
  const int64_t epoch = position / size, place = position % size;
  const int64_t groups = size / group;
  if (place >= groups * group) return {.epoch = epoch, .index = place};
  const Permutation order(groups, MixSeed(seed, static_cast<uint64_t>(epoch)));
  return {.epoch = epoch, .index = order.At(place / group) * group + place % group};
}

ExampleLoader::ExampleLoader(const ExampleSource& source, const Options& options)
    : source_(source), options_(options) {
  for (int i = 0; i < std::max(1, options.threads); ++i) threads_.emplace_back([this] { Run(); });
}

ExampleLoader::~ExampleLoader() {
  {
    const absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  for (std::thread& thread : threads_) thread.join();
}

int64_t ExampleLoader::damaged() const {
  const absl::MutexLock lock(&mutex_);
  return static_cast<int64_t>(damaged_.size());
}

int64_t ExampleLoader::PositionOf(int64_t ticket) const {
  const BatchShare& share = options_.share;
  const int64_t rows = share.rows(), part = ticket / rows;
  const int64_t step = options_.first_step + part / share.accumulation;
  return step * share.batch_size +
         share.PlaceOf(static_cast<int>(part % share.accumulation), static_cast<int>(ticket % rows));
}

absl::StatusOr<Example> ExampleLoader::LoadPlace(const ExamplePlace& place) {
  const uint64_t seed =
      MixSeed(options_.seed, static_cast<uint64_t>(place.epoch), static_cast<uint64_t>(place.index) + 1);
  const uint64_t pick = MixSeed(seed, 0);
  const int64_t choice =
      static_cast<int64_t>(pick % static_cast<uint64_t>(std::max<int64_t>(1, source_.choices(place.index))));
  Example example;
  if (options_.cached == nullptr) {
    IP2P_ASSIGN_OR_RETURN(const RawExample raw, source_.Get(place.index, choice));
    IP2P_ASSIGN_OR_RETURN(example, Augment(raw, options_.augment, seed));
  } else if (options_.cached(place.index, choice)) {
    example.mirrored = Mirrors(options_.augment, seed);
  } else {
    return absl::DataLossError("it was damaged when it was cached");
  }
  example.index = place.index;
  example.choice = choice;
  return example;
}

absl::Status ExampleLoader::CountDamaged(int64_t index, const absl::Status& fault) {
  const absl::MutexLock lock(&mutex_);
  damaged_.insert(index);
  if (first_fault_.empty()) first_fault_ = absl::StrCat("example ", index, ": ", fault.message());
  if (static_cast<int64_t>(damaged_.size()) * 1000 <= source_.size()) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      damaged_.size(), " of ", source_.size(), " examples are damaged; wants at most 0.1 %; ", first_fault_));
}

absl::StatusOr<Example> ExampleLoader::Load(int64_t ticket) {
  const int64_t position = PositionOf(ticket);
  ExamplePlace place = PlaceAt(source_.size(), options_.group, options_.seed, position);
  for (int attempt = 1; attempt <= kReplacements; ++attempt) {
    absl::StatusOr<Example> example = LoadPlace(place);
    if (example.ok() || IsDiskFault(example.status())) return example;
    IP2P_RETURN_IF_ERROR(CountDamaged(place.index, example.status()));
    place.index = static_cast<int64_t>(MixSeed(options_.seed, static_cast<uint64_t>(position), attempt + 1) %
                                       static_cast<uint64_t>(source_.size()));
  }
  return absl::FailedPreconditionError("many examples in a row are damaged");
}

void ExampleLoader::Run() {
  while (true) {
    int64_t ticket = 0;
    {
      const absl::MutexLock lock(&mutex_);
      const auto may_go = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
        return stopping_ || next_ticket_ < taken_ + std::max(options_.ahead, options_.share.rows());
      };
      mutex_.Await(absl::Condition(&may_go));
      if (stopping_) return;
      ticket = next_ticket_++;
    }
    absl::StatusOr<Example> example = Load(ticket);
    const absl::MutexLock lock(&mutex_);
    ready_.emplace(ticket, std::move(example));
  }
}

absl::StatusOr<std::vector<Example>> ExampleLoader::Next() {
  const absl::Time start = absl::Now();
  std::vector<Example> rows;
  const int count = options_.share.rows();
  const absl::MutexLock lock(&mutex_);
  for (int i = 0; i < count; ++i) {
    const auto is_there = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return ready_.contains(taken_); };
    mutex_.Await(absl::Condition(&is_there));
    auto node = ready_.extract(taken_++);
    if (!node.mapped().ok()) return node.mapped().status();
    rows.push_back(*std::move(node.mapped()));
  }
  waited_ += absl::Now() - start;
  return rows;
}

}  // namespace ip2p
