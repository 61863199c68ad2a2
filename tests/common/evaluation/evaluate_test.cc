// Whole evaluations with a scripted engine: what is asked of it, what goes on, what is left out.
#include "common/evaluation/evaluate.h"

#include <set>

#include "common/evaluation/curve_report.h"
#include "common/evaluation/dataset_digest.h"
#include "common/evaluation/guidance_curve.h"
#include "common/image/decode.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/common/evaluation/scripted_engine.h"
#include "tests/common/training/dataset_folder.h"
#include "tests/fakes/fake_edit_scorer.h"

namespace ip2p {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

class Listener final : public EvaluationListener {
 public:
  absl::Status OnProgress(const EvaluationProgress& progress) override {
    last_ = progress;
    return progress.steps == give_up_at_ ? absl::CancelledError("enough") : absl::OkStatus();
  }
  void OnLeftOut(const SampleRecord& record) override { left_out_.push_back(record.sample); }

  int64_t give_up_at_ = -1;
  EvaluationProgress last_;
  std::vector<int64_t> left_out_;
};

class EvaluateTest : public ::testing::Test {
 protected:
  EvaluateTest() {
    options_.split = Split::kTrain;
    options_.resolution = 64;
    options_.steps = 2;
    options_.text_guidance = {7.5};
    options_.image_guidance = {1, 1.5, 2};
    dataset_ = WriteDataset(folder_, 10);
  }

  absl::StatusOr<std::vector<SampleRecord>> Run(const std::string& name, Listener& listener,
                                                int together = 1) {
    const auto examples = OpenExamples(dataset_, TrainObjective::kInstructPix2Pix, options_.split);
    if (!examples.ok()) return examples.status();
    const EvaluationTask task{.options = options_,
                              .examples = **examples,
                              .folder = folder_.In(name),
                              .settings = SettingsOf(options_),
                              .together = together};
    return Evaluate(task, engine_, scorer_, listener);
  }
  absl::StatusOr<std::vector<SampleRecord>> Run(const std::string& name) {
    Listener listener;
    return Run(name, listener);
  }
  std::string Journal(const std::string& name) const { return folder_.Read(name + "/samples.jsonl"); }

  const TempFolder folder_;
  std::string dataset_;
  EvaluationOptions options_;
  ScriptedEngine engine_;
  FakeEditScorer scorer_;
};

TEST_F(EvaluateTest, EditsEverySampleAtEveryGuidance) {
  Listener listener;
  const auto records = Run("a", listener);
  ASSERT_TRUE(records.ok()) << records.status();
  ASSERT_THAT(*records, SizeIs(9));  // 0.9 of ten
  ASSERT_THAT(engine_.asked(), SizeIs(27));
  std::set<int64_t> examples;
  std::set<uint32_t> seeds;
  for (size_t i = 0; i < engine_.asked().size(); ++i) {
    const EditParams& asked = engine_.asked()[i];
    const SampleRecord& record = (*records)[i / 3];
    EXPECT_EQ(asked.cfg_text, 7.5);
    EXPECT_EQ(asked.cfg_image, options_.image_guidance[i % 3]);
    EXPECT_EQ(asked.steps, 2);
    EXPECT_EQ(asked.resolution, 64);
    EXPECT_EQ(asked.seed, record.seed) << "one noise at every guidance";
    EXPECT_EQ(asked.instruction, absl::StrCat("make it ", record.example));
    EXPECT_EQ(scorer_.subjects()[i / 3].caption, absl::StrCat("square ", record.example));
    EXPECT_EQ(scorer_.subjects()[i / 3].output, absl::StrCat("edited ", record.example));
    examples.insert(record.example);
    seeds.insert(record.seed);
  }
  EXPECT_THAT(examples, SizeIs(9));
  EXPECT_THAT(seeds, SizeIs(9));
  EXPECT_EQ(listener.last_.steps, 54);
  EXPECT_EQ(listener.last_.all_steps, 54);
}

TEST_F(EvaluateTest, FiguresAreThoseOfEditAndTarget) {
  options_.max_samples = 2;
  const auto records = Run("a");
  ASSERT_TRUE(records.ok()) << records.status();
  for (size_t s = 0; s < 2; ++s) {
    const EditSubject& subject = scorer_.subjects()[s];
    const SampleRecord& record = (*records)[s];
    // Both pictures of the pair, as the dataset has them.
    const std::string name =
        absl::StrFormat("data/%07d/%s_", record.example, record.choice == 0 ? "11" : "12");
    EXPECT_EQ(subject.before, DecodeImage(folder_.Read(name + "0.jpg"))->image);
    EXPECT_EQ(subject.target, DecodeImage(folder_.Read(name + "1.jpg"))->image);
    for (size_t i = 0; i < 3; ++i) {
      const Image edit = ScriptedEngine::Edited(subject.before, 7.5, options_.image_guidance[i]);
      double l1 = 0, l2 = 0;
      for (size_t p = 0; p < edit.pixels.size(); ++p) {
        const double d = (edit.pixels[p] - subject.target.pixels[p]) / 255.0;
        l1 += std::abs(d) / static_cast<double>(edit.pixels.size());
        l2 += d * d / static_cast<double>(edit.pixels.size());
      }
      const Figures& found = record.edits[i].figures;
      EXPECT_NEAR(*At(found, Metric::kL1), l1, 1e-9);
      EXPECT_NEAR(*At(found, Metric::kL2), l2, 1e-9);
      EXPECT_EQ(At(found, Metric::kClipImage), FakeEditScorer::Likeness(subject.before, edit));
      EXPECT_EQ(At(found, Metric::kClipI), FakeEditScorer::Likeness(subject.target, edit));
      EXPECT_EQ(At(found, Metric::kClipDirection), FakeEditScorer::Direction(subject.before, edit));
    }
  }
  const GuidanceCurve curve = CurveOf(GuidancesOf(options_), *records);
  for (size_t i = 0; i < 3; ++i) {
    const double mean = (*At((*records)[0].edits[i].figures, Metric::kClipImage) +
                         *At((*records)[1].edits[i].figures, Metric::kClipImage)) /
                        2;
    EXPECT_DOUBLE_EQ(*curve.points[i].Of(Metric::kClipImage), mean);
  }
  // More image guidance keeps more of the photo.
  EXPECT_LT(*curve.points[0].Of(Metric::kClipImage), *curve.points[2].Of(Metric::kClipImage));
  EXPECT_GT(*curve.points[0].Of(Metric::kClipDirection), *curve.points[2].Of(Metric::kClipDirection));
}

TEST_F(EvaluateTest, ASeedIsOneEvaluation) {
  ASSERT_TRUE(Run("a").ok());
  ASSERT_TRUE(Run("b").ok());
  options_.seed = 1;
  ASSERT_TRUE(Run("c").ok());
  EXPECT_EQ(Journal("a"), Journal("b"));
  EXPECT_NE(Journal("a"), Journal("c"));
}

// Given up at every possible step, with every size of group: what comes out is the same bytes.
TEST_F(EvaluateTest, GoesOnWhereItEnded) {
  options_.max_samples = 4;
  const auto whole = Run("whole");
  ASSERT_TRUE(whole.ok());
  for (const int together : {1, 4, 100}) {
    for (int64_t step = 1; step <= 24; step += 3) {
      const std::string name = absl::StrCat("part-", together, "-", step);
      Listener impatient;
      impatient.give_up_at_ = step;
      EXPECT_TRUE(absl::IsCancelled(Run(name, impatient, together).status()));
      Listener patient;
      const auto rest = Run(name, patient, together);
      ASSERT_TRUE(rest.ok()) << rest.status();
      EXPECT_EQ(*rest, *whole);
      EXPECT_EQ(Journal(name), Journal("whole"));
    }
  }
  const size_t asked = engine_.asked().size();
  ASSERT_TRUE(Run("whole").ok());
  EXPECT_EQ(engine_.asked().size(), asked) << "nothing is left to do";
}

TEST_F(EvaluateTest, MoreSamplesContinueIt) {
  options_.max_samples = 3;
  ASSERT_TRUE(Run("a").ok());
  const size_t before = engine_.asked().size();
  options_.max_samples = 5;
  const auto more = Run("a");
  ASSERT_TRUE(more.ok());
  EXPECT_EQ(engine_.asked().size(), before + 2 * 3);
  const auto fresh = Run("b");
  EXPECT_EQ(*more, *fresh);
  options_.max_samples = 2;
  const auto fewer = Run("a");
  ASSERT_TRUE(fewer.ok());
  EXPECT_EQ(*fewer, std::vector<SampleRecord>(fresh->begin(), fresh->begin() + 2));
}

TEST_F(EvaluateTest, ATornLineIsDoneAgain) {
  options_.max_samples = 3;
  ASSERT_TRUE(Run("a").ok());
  const std::string whole = Journal("a");
  folder_.Write("a/samples.jsonl", whole.substr(0, whole.size() - 20));
  ASSERT_TRUE(Run("a").ok());
  EXPECT_EQ(Journal("a"), whole);
}

TEST_F(EvaluateTest, OtherSettingsAreRefusedByName) {
  ASSERT_TRUE(Run("a").ok());
  options_.steps = 3;
  options_.clip_input = ClipInput::kReference;
  const absl::Status status = Run("a").status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status));
  EXPECT_EQ(status.message(),
            "the evaluation was made with steps 2, clip_input \"standard\"; wants steps 3, clip_input "
            "\"reference\"");
}

TEST_F(EvaluateTest, ADamagedJournalIsNamed) {
  options_.max_samples = 2;
  ASSERT_TRUE(Run("a").ok());
  const std::string whole = Journal("a");
  const std::string header = whole.substr(0, whole.find('\n') + 1);
  const std::string second = whole.substr(whole.find('\n', header.size()) + 1);
  for (const auto& [text, fault] :
       {std::pair<std::string, std::string>{"{}\n", "line 1 of samples.jsonl is damaged: wants the settings"},
        {header + "oops\n", "line 2 of samples.jsonl is damaged"},
        {header + second, "sample is 1; wants 0, the next one"},
        {header + "{\"sample\":0,\"example\":1,\"choice\":0,\"seed\":1,\"edits\":[]}\n",
         "edits have other guidance"}}) {
    folder_.Write("a/samples.jsonl", text);
    const absl::Status status = Run("a").status();
    EXPECT_TRUE(absl::IsDataLoss(status)) << text;
    EXPECT_THAT(std::string(status.message()), HasSubstr(fault));
  }
}

TEST_F(EvaluateTest, DamagedPairsAreLeftOut) {
  folder_.Write("data/0000003/11_1.jpg", "no picture");
  folder_.Write("data/0000003/12_1.jpg", "no picture");
  Listener listener;
  const auto records = Run("a", listener);
  ASSERT_TRUE(records.ok()) << records.status();
  ASSERT_THAT(listener.left_out_, SizeIs(1));
  const SampleRecord& record = (*records)[static_cast<size_t>(listener.left_out_[0])];
  EXPECT_EQ(record.example, 3);
  EXPECT_FALSE(record.fault.empty());
  const GuidanceCurve curve = CurveOf(GuidancesOf(options_), *records);
  EXPECT_EQ(curve.samples, 8);
  EXPECT_EQ(curve.left_out, 1);
  EXPECT_EQ(listener.last_.all_steps, 8 * 3 * 2);
  EXPECT_EQ(*Run("a"), *records);
}

TEST_F(EvaluateTest, WhenAllAreDamagedThereIsNoCurve) {
  for (int i = 0; i < 10; ++i) folder_.Write(absl::StrFormat("data/%07d/prompt.json", i), "{");
  const absl::Status status = Run("a").status();
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("all of 9 samples are damaged"));
}

TEST_F(EvaluateTest, AnEditThatFailsIsNamedAndTriedAgain) {
  options_.max_samples = 2;
  engine_.Script([](size_t n, const EditParams&) {
    return n == 5 ? absl::InternalError("the model produced NaN") : absl::OkStatus();
  });
  EXPECT_EQ(Run("a").status().message(),
            "an edit from sample 1 on, at text guidance 7.5 and image guidance 1.5: the model produced NaN");
  engine_.Script(nullptr);
  const auto records = Run("a");
  ASSERT_TRUE(records.ok());
  EXPECT_EQ(*records, *Run("b"));
  scorer_.FailWith(absl::ResourceExhaustedError("scoring an edit: memory ran out"));
  EXPECT_TRUE(absl::IsResourceExhausted(Run("c").status()));
}

TEST_F(EvaluateTest, ImagesAreThoseThatWereJudged) {
  options_.max_samples = 1;
  options_.save_images = true;
  const auto records = Run("a");
  ASSERT_TRUE(records.ok()) << records.status();
  const auto saved = [&](const std::string& what) {
    return DecodeImage(folder_.Read("a/images/000000-" + what + ".png"))->image;
  };
  const EditSubject& subject = scorer_.subjects()[0];
  EXPECT_EQ(saved("input"), subject.before);
  EXPECT_EQ(saved("target"), subject.target);
  EXPECT_EQ(saved("t7.5-i1.5"), ScriptedEngine::Edited(subject.before, 7.5, 1.5));
}

TEST_F(EvaluateTest, OneProcessAtATime) {
  options_.max_samples = 1;
  engine_.Script([this](size_t n, const EditParams&) {
    if (n == 1) {
      EXPECT_TRUE(absl::IsAborted(Run("a").status()));
    }
    return absl::OkStatus();
  });
  EXPECT_TRUE(Run("a").ok());
}

TEST_F(EvaluateTest, ADatasetIsToldByItsIndex) {
  const std::string before = *DatasetDigest(dataset_);
  EXPECT_THAT(before, SizeIs(64));
  folder_.Write("data/seeds.json", "[]");
  EXPECT_NE(*DatasetDigest(dataset_), before);
  EXPECT_TRUE(absl::IsNotFound(DatasetDigest(folder_.In("none")).status()));
}

}  // namespace
}  // namespace ip2p
