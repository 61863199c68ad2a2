#include "common/pipeline/edit_engine.h"

#include <cmath>
#include <cstdlib>
#include <future>
#include <limits>
#include <random>

#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/fakes/random_model.h"

namespace ip2p {
namespace {

using ::testing::HasSubstr;

Image Photo(int width, int height, int shade = 0) {
  Image image{.width = width, .height = height, .pixels = std::vector<uint8_t>(size_t{3} * width * height)};
  for (size_t i = 0; i < image.pixels.size(); ++i) {
    image.pixels[i] =
        static_cast<uint8_t>((i / 3 % width * 3 + i / 3 / width * 2 + i % 3 * 60 + shade) & 255);
  }
  return image;
}

EditParams Params(int steps, uint32_t seed) {
  return {.instruction = "make it blue", .steps = steps, .resolution = 64, .seed = seed};
}

// Waits for an edit's end.
class Outcome {
 public:
  EditCallbacks callbacks(std::function<void(const EditProgress&)> progress = nullptr) {
    return {.progress = std::move(progress),
            .done = [this](absl::StatusOr<EditResult> result) { promise_.set_value(std::move(result)); }};
  }
  absl::StatusOr<EditResult> Wait() { return promise_.get_future().get(); }

 private:
  std::promise<absl::StatusOr<EditResult>> promise_;
};

std::unique_ptr<EditEngine> MakeEngine(int max_batch = 4,
                                       const ModelSource& source = RandomModel(TinyConfig(), 7)) {
  auto engine =
      EditEngine::Create(source, {.precision = Precision::kFloat32, .max_batch = max_batch, .threads = 1});
  EXPECT_TRUE(engine.ok()) << engine.status();
  return *std::move(engine);
}

absl::StatusOr<EditResult> Solo(EditEngine& engine, const Image& photo, const EditParams& params) {
  Outcome outcome;
  absl::Status submitted = engine.Submit(photo, params, absl::InfiniteFuture(), outcome.callbacks()).status();
  if (!submitted.ok()) return submitted;
  return outcome.Wait();
}

int LargestDifference(const Image& a, const Image& b) {
  EXPECT_EQ(a.width, b.width);
  EXPECT_EQ(a.height, b.height);
  int largest = 0;
  for (size_t i = 0; i < a.pixels.size() && i < b.pixels.size(); ++i) {
    largest = std::max(largest, std::abs(int{a.pixels[i]} - int{b.pixels[i]}));
  }
  return largest;
}

TEST(EditEngine, SeedsDecideThePicture) {
  auto engine = MakeEngine();
  auto first = Solo(*engine, Photo(64, 64), Params(4, 1));
  auto again = Solo(*engine, Photo(64, 64), Params(4, 1));
  auto other = Solo(*engine, Photo(64, 64), Params(4, 2));
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(first->outputs[0].image, again->outputs[0].image);
  EXPECT_GT(LargestDifference(first->outputs[0].image, other->outputs[0].image), 8);
  EXPECT_EQ(other->outputs[0].seed, 2);
}

// Four edits with their own steps, scales, sampler and photo join while the first one runs.
TEST(EditEngine, BatchedEqualsSolo) {
  auto engine = MakeEngine();
  std::vector<EditParams> params = {Params(12, 1), Params(5, 2), Params(7, 3), Params(4, 4)};
  params[1].sampler = SamplerKind::kHeun;
  params[1].cfg_text = 3;
  params[2].sampler = SamplerKind::kDpmpp2M;
  params[2].schedule = SigmaSchedule::kKarras;
  params[2].instruction = "turn it into a photograph of the sea at night";
  params[3].cfg_image = 1;  // two branches instead of three
  params[3].negative = "red";
  std::vector<Image> solo;
  for (int i = 0; i < 4; ++i) {
    auto result = Solo(*engine, Photo(64, 64, 40 * i), params[i]);
    ASSERT_TRUE(result.ok()) << result.status();
    solo.push_back(result->outputs[0].image);
  }

  std::vector<Outcome> outcomes(4);
  int largest_batch = 0;
  auto join = [&](const EditProgress& progress) {
    largest_batch = std::max(largest_batch, engine->running());
    for (int i = 1; i < 4; ++i) {
      if (progress.step == 2 * i) {
        EXPECT_TRUE(
            engine->Submit(Photo(64, 64, 40 * i), params[i], absl::InfiniteFuture(), outcomes[i].callbacks())
                .ok());
      }
    }
  };
  ASSERT_TRUE(
      engine->Submit(Photo(64, 64), params[0], absl::InfiniteFuture(), outcomes[0].callbacks(join)).ok());
  for (int i = 0; i < 4; ++i) {
    auto result = outcomes[i].Wait();
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_LE(LargestDifference(result->outputs[0].image, solo[i]), 1) << "edit " << i;
  }
  EXPECT_GE(largest_batch, 3);
}

TEST(EditEngine, CountGivesConsecutiveSeeds) {
  auto engine = MakeEngine(/*max_batch=*/2);
  EditParams params = Params(3, 4294967295u);
  params.count = 3;
  auto many = Solo(*engine, Photo(64, 64), params);
  ASSERT_TRUE(many.ok()) << many.status();
  ASSERT_EQ(many->outputs.size(), 3u);
  const uint32_t seeds[] = {4294967295u, 0, 1};
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(many->outputs[i].seed, seeds[i]);
    auto one = Solo(*engine, Photo(64, 64), Params(3, seeds[i]));
    ASSERT_TRUE(one.ok());
    EXPECT_LE(LargestDifference(many->outputs[i].image, one->outputs[0].image), 1);
  }
}

TEST(EditEngine, SizesTakeTurns) {
  auto engine = MakeEngine();
  EditParams wide = Params(6, 1);
  wide.resolution = 128;
  Outcome a, b;
  std::vector<int> order;  // engine thread only, read after both ended
  ASSERT_TRUE(engine
                  ->Submit(Photo(64, 64), Params(6, 2), absl::InfiniteFuture(),
                           a.callbacks([&](const EditProgress& p) {
                             order.push_back(0);
                             if (p.step == 1) {
                               EXPECT_TRUE(
                                   engine
                                       ->Submit(Photo(128, 64), wide, absl::InfiniteFuture(),
                                                b.callbacks([&](const EditProgress&) { order.push_back(1); }))
                                       .ok());
                             }
                           }))
                  .ok());
  auto result = a.Wait();
  ASSERT_TRUE(result.ok());
  auto other = b.Wait();
  ASSERT_TRUE(other.ok());
  EXPECT_EQ(other->outputs[0].image.width, 128);
  EXPECT_EQ(other->outputs[0].image.height, 64);
  EXPECT_THAT(order, testing::ElementsAre(0, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 1));
}

TEST(EditEngine, ResolutionZeroKeepsTheSize) {
  auto engine = MakeEngine();
  EditParams params = Params(2, 1);
  params.resolution = 0;
  auto result = Solo(*engine, Photo(91, 67), params);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->outputs[0].image.width, 91);
  EXPECT_EQ(result->outputs[0].image.height, 67);
}

TEST(EditEngine, EmptyInstructionReturnsTheInput) {
  auto engine = MakeEngine();
  EditParams params = Params(2, 1);
  params.instruction.clear();
  auto result = Solo(*engine, Photo(64, 64), params);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->outputs[0].image, Photo(64, 64));
}

TEST(EditEngine, PreviewsAreLatentSized) {
  auto engine = MakeEngine();
  EditParams params = Params(4, 1);
  params.preview_every = 2;
  std::vector<bool> previews;
  Outcome outcome;
  ASSERT_TRUE(engine
                  ->Submit(Photo(64, 64), params, absl::InfiniteFuture(),
                           outcome.callbacks([&](const EditProgress& p) {
                             previews.push_back(p.preview.has_value());
                             if (p.preview.has_value()) {
                               EXPECT_EQ(p.preview->width, 8);
                               EXPECT_EQ(p.preview->height, 8);
                             }
                           }))
                  .ok());
  ASSERT_TRUE(outcome.Wait().ok());
  EXPECT_THAT(previews, testing::ElementsAre(false, true, false, true));
}

TEST(EditEngine, CancelLeavesBeforeTheNextStep) {
  auto engine = MakeEngine();
  std::mt19937 random(5);
  for (int i = 0; i < 200; ++i) {
    const int phase = 1 + static_cast<int>(random() % 5);
    int steps_seen = 0;
    std::atomic<EditEngine::EditId> id = 0;
    std::promise<void> known;
    std::shared_future<void> id_known = known.get_future().share();
    Outcome outcome;
    auto submitted = engine->Submit(Photo(64, 64), Params(50, i), absl::InfiniteFuture(),
                                    outcome.callbacks([&, id_known](const EditProgress& progress) {
                                      id_known.wait();
                                      steps_seen = progress.step;
                                      if (progress.step == phase) engine->Cancel(id);
                                    }));
    ASSERT_TRUE(submitted.ok());
    id = *submitted;
    known.set_value();
    EXPECT_EQ(outcome.Wait().status().code(), absl::StatusCode::kCancelled);
    EXPECT_EQ(steps_seen, phase);
    EXPECT_EQ(engine->running(), 0);
  }
}

TEST(EditEngine, WaitingEditsCanBeCancelled) {
  auto engine = MakeEngine(/*max_batch=*/1);
  Outcome running, waiting;
  std::promise<EditEngine::EditId> second;
  std::shared_future<EditEngine::EditId> second_id = second.get_future().share();
  ASSERT_TRUE(engine
                  ->Submit(Photo(64, 64), Params(3, 1), absl::InfiniteFuture(),
                           running.callbacks([&, second_id](const EditProgress& p) {
                             if (p.step == 1) {
                               const EditEngine::EditId waiting_id = second_id.get();
                               EXPECT_EQ(engine->waiting(), 1);
                               engine->Cancel(waiting_id);
                             }
                           }))
                  .ok());
  auto id = engine->Submit(Photo(64, 64), Params(3, 1), absl::InfiniteFuture(), waiting.callbacks());
  ASSERT_TRUE(id.ok());
  second.set_value(*id);
  EXPECT_TRUE(running.Wait().ok());
  EXPECT_EQ(waiting.Wait().status().code(), absl::StatusCode::kCancelled);
}

TEST(EditEngine, DeadlineIsLookedAtEachStep) {
  auto engine = MakeEngine();
  Outcome late;
  ASSERT_TRUE(engine->Submit(Photo(64, 64), Params(5, 1), absl::InfinitePast(), late.callbacks()).ok());
  EXPECT_EQ(late.Wait().status().code(), absl::StatusCode::kDeadlineExceeded);
  Outcome soon;
  ASSERT_TRUE(
      engine->Submit(Photo(64, 64), Params(1000, 1), absl::Now() + absl::Milliseconds(50), soon.callbacks())
          .ok());
  EXPECT_EQ(soon.Wait().status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(engine->running(), 0);
}

TEST(EditEngine, ShutdownCancelsWhatIsLeft) {
  auto engine = MakeEngine(/*max_batch=*/1);
  std::vector<Outcome> outcomes(3);
  std::promise<void> started;
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(engine
                    ->Submit(Photo(64, 64), Params(1000, i), absl::InfiniteFuture(),
                             outcomes[i].callbacks([&, i](const EditProgress& p) {
                               if (i == 0 && p.step == 1) started.set_value();
                             }))
                    .ok());
  }
  started.get_future().wait();
  engine.reset();
  for (Outcome& outcome : outcomes) EXPECT_EQ(outcome.Wait().status().code(), absl::StatusCode::kCancelled);
}

TEST(EditEngine, NotFiniteIsAnErrorAndTheEngineLives) {
  ModelSource source = RandomModel(TinyConfig(), 7);
  auto huge = std::make_shared<std::vector<float>>(3 * 8 * 9, 3e38f);
  TensorView& weight = source.vae["decoder.conv_out.weight"];
  ASSERT_EQ(weight.data.size(), huge->size() * sizeof(float));
  weight.data = std::as_bytes(std::span(*huge));
  weight.owner = huge;
  auto engine = MakeEngine(4, source);
  for (int i = 0; i < 2; ++i) {
    auto result = Solo(*engine, Photo(64, 64), Params(2, 1));
    EXPECT_EQ(result.status().code(), absl::StatusCode::kInternal);
    EXPECT_THAT(std::string(result.status().message()), HasSubstr("not finite"));
  }
}

TEST(EditEngine, EstimateGrowsWithSteps) {
  auto engine = MakeEngine();
  ASSERT_TRUE(Solo(*engine, Photo(64, 64), Params(3, 1)).ok());
  EXPECT_GT(engine->Estimate(Params(3, 1)), absl::ZeroDuration());
  EXPECT_GT(engine->Estimate(Params(100, 1)), engine->Estimate(Params(3, 1)));
}

TEST(EditEngine, RefusesModelsAndDevicesItCannotRun) {
  ModelConfig config = TinyConfig();
  config.unet.in_channels = 4;
  auto text_to_image = EditEngine::Create(RandomModel(config, 1), {});
  EXPECT_EQ(text_to_image.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(text_to_image.status().message()), HasSubstr("takes 4 channels; wants 8"));
  auto device = EditEngine::Create(RandomModel(TinyConfig(), 1), {.device = "tpu"});
  EXPECT_EQ(device.status().code(), absl::StatusCode::kInvalidArgument);
  auto batch = EditEngine::Create(RandomModel(TinyConfig(), 1), {.max_batch = 0});
  EXPECT_EQ(batch.status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(ValidateEdit, ListsAllFaultsTogether) {
  EditParams params = Params(0, 1);
  params.cfg_text = std::numeric_limits<double>::quiet_NaN();
  params.cfg_image = std::numeric_limits<double>::infinity();
  params.resolution = 100;
  params.count = 9;
  params.instruction = std::string("a\0b", 3);
  const absl::Status status = ValidateEdit(params, Image{});
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  for (const char* part : {"instruction holds a NUL", "steps is 0; wants 1..1000", "resolution is 100",
                           "cfg_text is nan", "cfg_image is inf", "count is 9; wants 1..8", "image is 0x0"}) {
    EXPECT_THAT(std::string(status.message()), HasSubstr(part));
  }
}

TEST(ValidateEdit, Texts) {
  auto message = [](std::string instruction) {
    EditParams params = Params(1, 1);
    params.instruction = std::move(instruction);
    return std::string(ValidateEdit(params, Photo(8, 8)).message());
  };
  EXPECT_EQ(message(std::string(4096, 'a')), "");
  EXPECT_THAT(message(std::string(4097, 'a')), HasSubstr("4097 bytes; wants at most 4096"));
  EXPECT_THAT(message("\xff\xfe"), HasSubstr("not UTF-8"));
  EXPECT_EQ(message("\xF0\x9F\x8C\x88 \xD7\xA9\xD7\x9C e\xCC\x81"), "");  // emoji, right-to-left, combining
}

TEST(ValidateEdit, LongStripsAreRefusedBeforeTheyGrow) {
  auto engine = MakeEngine();
  auto strip = Solo(*engine, Photo(8192, 1), Params(1, 1));
  EXPECT_EQ(strip.status().code(), absl::StatusCode::kInvalidArgument);
  EditParams native = Params(1, 1);
  native.resolution = 0;
  EXPECT_EQ(Solo(*engine, Photo(8192, 1024), native).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace ip2p
