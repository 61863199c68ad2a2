#include "common/training/trainer.h"

#include <cmath>
#include <thread>
#include <tuple>

#include "absl/time/clock.h"
#include "common/training/train_start.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/fakes/random_model.h"
#include "tests/fakes/temp_folder.h"

namespace ip2p {
namespace {

using ::testing::HasSubstr;

constexpr int kSide = 64;
const RankTimeouts kTimeouts{.join = absl::Seconds(30), .peer = absl::Seconds(30)};

TrainConfig SmallConfig() {
  TrainConfig config;
  config.batch_size = 4;
  config.resolution = kSide;
  config.max_steps = 100;
  config.learning_rate = 1e-3;
  config.precision = Precision::kFloat32;
  return config;
}

Example ExampleAt(int64_t position) {
  Example example{.text = "make it " + std::to_string(position)};
  for (Image* image : {&example.before, &example.after}) {
    *image = {.width = kSide, .height = kSide};
    image->pixels.resize(kSide * kSide * 3);
    for (size_t i = 0; i < image->pixels.size(); ++i)
      image->pixels[i] = static_cast<uint8_t>((i * (position + 3) / 7 + position * 50) % 256);
  }
  return example;
}

// The rows of a share of the batches, from the step the trainer stands at.
Trainer::NextRows RowsFor(const Trainer& trainer) {
  auto ticket = std::make_shared<int64_t>(0);
  const BatchShare share = trainer.share();
  const int64_t first = trainer.step();
  return [=]() -> absl::StatusOr<std::vector<Example>> {
    const int64_t part = (*ticket)++;
    const int64_t step = first + part / share.accumulation;
    std::vector<Example> rows;
    for (int row = 0; row < share.rows(); ++row)
      rows.push_back(ExampleAt(step * share.batch_size +
                               share.PlaceOf(static_cast<int>(part % share.accumulation), row)));
    return rows;
  };
}

std::unique_ptr<Trainer> MakeTrainer(const TrainConfig& config, RankGroup* group = nullptr) {
  TrainStart start;
  start.model = RandomModel(TinyConfig(), 1);
  auto objective = CreateObjective(config, start, {.bf16 = config.precision == Precision::kBFloat16});
  EXPECT_TRUE(objective.ok()) << objective.status();
  return std::make_unique<Trainer>(config, *std::move(objective), group);
}

std::vector<double> Steps(Trainer& trainer, int count) {
  const Trainer::NextRows rows = RowsFor(trainer);
  std::vector<double> losses;
  for (int i = 0; i < count; ++i) {
    const auto result = trainer.Step(rows);
    EXPECT_TRUE(result.ok()) << result.status();
    losses.push_back(result->loss);
  }
  return losses;
}

// AdamW divides by the gradient's own size, so an element whose gradient is rounding may move either way:
// whole buffers are compared.
double RelativeDifference(Trainer& a, Trainer& b) {
  return ((a.parameters().weights() - b.parameters().weights()).norm() / b.parameters().weights().norm())
      .item<double>();
}

double LargestDifference(Trainer& a, Trainer& b) {
  return (a.parameters().weights() - b.parameters().weights()).abs().max().item<double>();
}

TEST(Trainer, LossFalls) {
  TrainConfig config = SmallConfig();
  config.learning_rate = 3e-3;
  const auto trainer = MakeTrainer(config);
  const std::vector<double> losses = Steps(*trainer, 12);
  EXPECT_LT(losses[10] + losses[11], losses[0] + losses[1]);
}

// N steps equal k steps, save, load, N-k steps, bit for bit.
class GoesOn : public ::testing::TestWithParam<std::pair<TrainOptimizer, Precision>> {};

TEST_P(GoesOn, BitForBit) {
  const TempFolder run;
  TrainConfig config = SmallConfig();
  std::tie(config.optimizer, config.precision) = GetParam();
  config.max_grad_norm = 1;
  config.lr_schedule = LrSchedule::kCosine;
  config.warmup_steps = 2;
  const auto whole = MakeTrainer(config);
  const std::vector<double> losses = Steps(*whole, 5);
  {
    const auto first = MakeTrainer(config);
    Steps(*first, 2);
    { const Trainer::Averaged looked_at(*first); }  // leaves no trace
    ASSERT_TRUE(SaveRunCheckpoint(run.path(), first->Snapshot()).ok());
  }
  const auto second = MakeTrainer(config);
  ASSERT_TRUE(second->Restore(*LoadRunCheckpoint(run.path())).ok());
  EXPECT_EQ(second->step(), 2);
  EXPECT_EQ(Steps(*second, 3), std::vector<double>(losses.begin() + 2, losses.end()));
  EXPECT_TRUE(torch::equal(whole->parameters().weights(), second->parameters().weights()));
  const RunCheckpoint a = whole->Snapshot(), b = second->Snapshot();
  EXPECT_EQ(a.state, b.state);
  const auto expect_same = [](const TensorMap& one, const TensorMap& other) {
    ASSERT_EQ(one.size(), other.size());
    for (const auto& [name, view] : one)
      EXPECT_TRUE(std::ranges::equal(view.data, other.at(name).data)) << name;
  };
  expect_same(a.ema, b.ema);
  expect_same(a.optimizer, b.optimizer);
}

INSTANTIATE_TEST_SUITE_P(All, GoesOn,
                         ::testing::Values(std::pair(TrainOptimizer::kAdamW, Precision::kFloat32),
                                           std::pair(TrainOptimizer::kAdamW8Bit, Precision::kFloat32),
                                           std::pair(TrainOptimizer::kAdamW, Precision::kBFloat16)));

TEST(Trainer, AnotherOptimizersCheckpointIsRefused) {
  TrainConfig config = SmallConfig();
  const auto wide = MakeTrainer(config);
  config.optimizer = TrainOptimizer::kAdamW8Bit;
  const auto narrow = MakeTrainer(config);
  EXPECT_EQ(narrow->Restore(wide->Snapshot()).code(), absl::StatusCode::kFailedPrecondition);
}

TEST(Trainer, AccumulationIsTheWholeBatch) {
  TrainConfig config = SmallConfig(), parts = config;
  parts.accumulation = 2;
  const auto a = MakeTrainer(config), b = MakeTrainer(parts);
  Steps(*a, 2);
  Steps(*b, 2);
  EXPECT_LT(RelativeDifference(*a, *b), 1e-5);
}

TEST(Trainer, RefusesAnotherRunsCheckpoint) {
  TrainConfig config = SmallConfig();
  const auto a = MakeTrainer(config);
  config.learning_rate *= 2;
  const auto b = MakeTrainer(config);
  EXPECT_EQ(b->Restore(a->Snapshot()).code(), absl::StatusCode::kFailedPrecondition);
}

// A loss that is not a number: the step is left out, and ten in a row end the run.
class NanObjective final : public Objective {
 public:
  std::vector<LearnedParameter> Parameters() override { return {{"w", w_}}; }
  TrainBatch MakeBatch(std::span<const Example>, std::vector<uint64_t>) override { return {}; }
  torch::Tensor Loss(const TrainBatch&) override {
    const double factor = calls_++ >= finite ? std::nan("") : 1;
    return (w_ * factor).sum();
  }
  int finite = 2;

 private:
  torch::Tensor w_ = torch::ones({4});
  int calls_ = 0;
};

TEST(Trainer, TenLossesThatAreNoNumberEndTheRun) {
  TrainConfig config = SmallConfig();
  Trainer trainer(config, std::make_unique<NanObjective>(), nullptr);
  const Trainer::NextRows rows = [] { return std::vector<Example>(4); };
  ASSERT_TRUE(trainer.Step(rows).ok());
  ASSERT_TRUE(trainer.Step(rows).ok());
  const torch::Tensor before = trainer.parameters().weights().clone();
  absl::Status status;
  int skipped = 0;
  while (status.ok()) {
    const auto result = trainer.Step(rows);
    status = result.status();
    if (result.ok()) skipped += result->skipped ? 1 : 0;
  }
  EXPECT_EQ(skipped, kMaxNotFinite - 1);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("10 steps in a row, up to step 12"));
  EXPECT_TRUE(torch::equal(before, trainer.parameters().weights()));
  EXPECT_EQ(trainer.state().updates, 2);
}

// Two ranks in two threads, each with half of the batch.
TEST(Trainer, TwoRanksAreOne) {
  TrainConfig config = SmallConfig();
  const auto alone = MakeTrainer(config);
  const std::vector<double> losses = Steps(*alone, 3);
  const auto store = Rendezvous::Create(0);
  ASSERT_TRUE(store.ok()) << store.status();
  const RendezvousAddress address{.host = "127.0.0.1", .port = (*store)->port()};
  std::vector<std::unique_ptr<RankGroup>> groups(2);
  std::vector<std::unique_ptr<Trainer>> trainers(2);
  std::vector<std::vector<double>> both(2);
  std::vector<std::thread> threads;
  for (int rank : {0, 1}) {
    threads.emplace_back([&, rank] {
      auto group =
          RankGroup::Create(rank, 2, address, rank == 0 ? store->get() : nullptr, torch::kCPU, kTimeouts);
      ASSERT_TRUE(group.ok()) << group.status();
      groups[rank] = *std::move(group);
      trainers[rank] = MakeTrainer(config, groups[rank].get());
      both[rank] = Steps(*trainers[rank], 3);
    });
  }
  for (std::thread& thread : threads) thread.join();
  ASSERT_EQ(both[0].size(), 3);
  for (int i = 0; i < 3; ++i) EXPECT_NEAR(both[0][i], losses[i], 1e-5);
  EXPECT_EQ(LargestDifference(*trainers[0], *trainers[1]), 0);
  EXPECT_LT(RelativeDifference(*trainers[0], *alone), 1e-5);
}

TEST(RankGroup, APeerThatDoesNotComeIsNoticed) {
  const auto store = Rendezvous::Create(0);
  ASSERT_TRUE(store.ok());
  const auto group = RankGroup::Create(0, 2, {.host = "127.0.0.1", .port = (*store)->port()}, store->get(),
                                       torch::kCPU, {.join = absl::Milliseconds(300)});
  EXPECT_EQ(group.status().code(), absl::StatusCode::kUnavailable);
}

// Long before the timeout, which must outlast whatever a rank does alone.
TEST(RankGroup, APeerThatEndsIsNoticedAtOnce) {
  const auto store = Rendezvous::Create(0);
  ASSERT_TRUE(store.ok());
  const RendezvousAddress address{.host = "127.0.0.1", .port = (*store)->port()};
  const RankTimeouts timeouts{.join = absl::Seconds(30), .peer = absl::Minutes(30)};
  std::thread peer([&] {
    auto group = RankGroup::Create(1, 2, address, nullptr, torch::kCPU, timeouts);
    ASSERT_TRUE(group.ok()) << group.status();
    torch::Tensor once = torch::ones({4});
    (*group)->StartSum(once)->Wait();
    EXPECT_EQ(once.sum().item<float>(), 8);
  });
  auto group = RankGroup::Create(0, 2, address, store->get(), torch::kCPU, timeouts);
  ASSERT_TRUE(group.ok()) << group.status();
  torch::Tensor sum = torch::ones({4});
  (*group)->StartSum(sum)->Wait();
  peer.join();
  const absl::Time start = absl::Now();
  EXPECT_THROW((*group)->StartSum(sum)->Wait(), std::exception);
  EXPECT_LT(absl::Now() - start, absl::Seconds(5));
}

}  // namespace
}  // namespace ip2p
