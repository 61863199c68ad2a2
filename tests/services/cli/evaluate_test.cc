// `ip2p evaluate` with an engine that inverts colours and a scorer that counts pixels.
#include <gmock/gmock.h>

#include <algorithm>

#include "common/base/json.h"
#include "services/cli/evaluate_reporter.h"
#include "tests/common/training/dataset_folder.h"
#include "tests/fakes/fake_edit_engine.h"
#include "tests/fakes/fake_edit_scorer.h"
#include "tests/services/cli/cli_fixture.h"

namespace ip2p {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;
using testing::Variable;

constexpr TorchVerbs kFakes{.open_evaluation = [](const EvaluationModelPaths& paths,
                                                  const EngineOptions& options,
                                                  ClipInput clip_input) -> absl::StatusOr<EvaluationModels> {
  if (paths.checkpoint == "none") return absl::NotFoundError("no such model");
  auto engine = std::make_unique<FakeEditEngine>();
  engine->RunByItself(true);
  return EvaluationModels{
      .engine = std::move(engine),
      .scorer = std::make_unique<FakeEditScorer>(),
      .fingerprint = absl::StrCat(paths.checkpoint, "+", paths.clip, " ", ClipInputName(clip_input),
                                  " batch ", options.max_batch)};
}};

class EvaluateTest : public testing::CliTest {
 protected:
  EvaluateTest() {
    torch_ = &kFakes;
    dataset_ = WriteDataset(folder_, 40);
  }
  // A whole command; what is given in `more` takes the place of its own flags.
  std::vector<std::string> Evaluate(const std::vector<std::string>& more = {}) const {
    std::vector<std::string> args = {"evaluate"};
    for (const auto& [flag, value] :
         std::vector<std::pair<std::string, std::string>>{{"--ckpt", "model"},
                                                          {"--clip", "clip"},
                                                          {"--dataset", dataset_},
                                                          {"--out-dir", Path("e")},
                                                          {"--steps", "2"},
                                                          {"--resolution", "64"}}) {
      if (std::find(more.begin(), more.end(), flag) == more.end()) args.insert(args.end(), {flag, value});
    }
    args.insert(args.end(), more.begin(), more.end());
    return args;
  }
  nlohmann::json Json() const { return nlohmann::json::parse(out_.str(), nullptr, false); }

  const TempFolder folder_;
  std::string dataset_;
};

TEST_F(EvaluateTest, PrintsTheCurveAndWritesIt) {
  ASSERT_EQ(Run(Evaluate()), kExitOk) << err_.str();
  EXPECT_THAT(out_.str(), StartsWith("text_guidance,image_guidance,samples,captioned,clip_direction,"));
  EXPECT_THAT(out_.str(), HasSubstr("\n7.5,1,2,2,"));
  EXPECT_THAT(out_.str(), HasSubstr("\n7.5,2.2,2,2,"));
  EXPECT_EQ(out_.str(), Get("e/curve.csv"));
  for (const char* name : {"samples.jsonl", "curve.json", "curve.svg", "curve.png"})
    EXPECT_TRUE(Exists(absl::StrCat("e/", name))) << name;
  EXPECT_FALSE(Exists("e/images"));
  EXPECT_THAT(err_.str(), HasSubstr("2 samples, 0 left out; CLIP was shown the standard range"));
}

TEST_F(EvaluateTest, FlagsAreTheSettings) {
  ASSERT_EQ(Run(Evaluate({"--json", "--split", "train", "--max-samples", "3", "--text-guidance", "5,7.5",
                          "--image-guidance", "1.5", "--seed", "9", "--clip-input", "reference", "--batch",
                          "4", "--save-images"})),
            kExitOk)
      << err_.str();
  const nlohmann::json report = Json(), settings = report["settings"];
  EXPECT_EQ(out_.str(), Get("e/curve.json"));
  EXPECT_EQ(report["samples"], 3);
  EXPECT_EQ(report["points"].size(), 2);
  EXPECT_EQ(report["points"][0]["text_guidance"], 5);
  EXPECT_EQ(settings["split"], "train");
  EXPECT_EQ(settings["seed"], 9);
  EXPECT_EQ(settings["clip_input"], "reference");
  EXPECT_EQ(settings["weights"], "model+clip reference batch 4");
  EXPECT_EQ(settings["precision"], "fp32");
  EXPECT_EQ(settings["dataset_sha256"].get<std::string>().size(), 64);
  EXPECT_TRUE(Exists("e/images/000002-t7.5-i1.5.png"));
}

TEST_F(EvaluateTest, ARerunGoesOnAndOtherSettingsAreRefused) {
  ASSERT_EQ(Run(Evaluate({"--max-samples", "1"})), kExitOk);
  const std::string first = Get("e/samples.jsonl");
  ASSERT_EQ(Run(Evaluate()), kExitOk);
  EXPECT_THAT(Get("e/samples.jsonl"), StartsWith(first));
  EXPECT_THAT(err_.str(), HasSubstr("1 of 2 samples are done already"));
  EXPECT_EQ(Run(Evaluate({"--image-guidance", "1"})), kExitBadInput);
  EXPECT_THAT(err_.str(), HasSubstr("wants image_guidance [1.0]"));
}

TEST_F(EvaluateTest, WrongFlagsAreToldBeforeTorchIsStarted) {
  torch_ = nullptr;
  for (const std::vector<std::string>& wrong : {std::vector<std::string>{"--split", "dev"},
                                                {"--clip-input", "0..1"},
                                                {"--batch", "0"},
                                                {"--seed", "-1"},
                                                {"--precision", "int8"},
                                                {"--max-samples", "many"}}) {
    EXPECT_EQ(Run(Evaluate(wrong)), kExitUsage) << wrong[0] << " " << wrong[1];
  }
  for (const auto& [flag, value, fault] :
       {std::tuple<std::string, std::string, std::string>{"--resolution", "100", "resolution is 100; wants"},
        {"--steps", "0", "steps is 0; wants 1..1000"},
        {"--image-guidance", "1,x", "image_guidance holds \"x\"; wants numbers"},
        {"--text-guidance", "101", "text_guidance is 101; wants a finite number in 0..100"}}) {
    EXPECT_EQ(Run(Evaluate({flag, value})), kExitBadInput) << flag;
    EXPECT_THAT(err_.str(), HasSubstr(fault));
  }
  EXPECT_EQ(Run({"evaluate", "--ckpt", "model", "--dataset", dataset_, "--out-dir", Path("e")}), kExitUsage);
  EXPECT_THAT(passed_on_, IsEmpty());
  const std::vector<std::string> good = Evaluate({"--batch", "7"});
  EXPECT_EQ(Run(good), kExitOk);
  EXPECT_EQ(passed_on_, good);
}

TEST_F(EvaluateTest, MissingInputsAreFinal) {
  EXPECT_EQ(Run(Evaluate({"--ckpt", "none"})), kExitBadInput);
  EXPECT_THAT(err_.str(), HasSubstr("no such model"));
  EXPECT_EQ(Run(Evaluate({"--dataset", Path("none")})), kExitBadInput);
  EXPECT_THAT(err_.str(), HasSubstr("the dataset is missing; wants a folder"));
  Put("file", "");
  EXPECT_EQ(Run(Evaluate({"--out-dir", Path("file")})), kExitBadInput) << err_.str();
}

TEST_F(EvaluateTest, SettingsComeFromVariables) {
  const Variable guidance("IP2P_IMAGE_GUIDANCE", "1.5");
  ASSERT_EQ(Run(Evaluate({"--json"})), kExitOk) << err_.str();
  EXPECT_EQ(Json()["points"].size(), 1);
}

TEST_F(EvaluateTest, ALineOnATerminal) {
  terminal_ = true;
  ASSERT_EQ(Run(Evaluate()), kExitOk);
  EXPECT_THAT(err_.str(), HasSubstr("\r0/2 samples"));
}

TEST(FormatEvaluation, TellsWhatIsLeft) {
  EXPECT_EQ(FormatEvaluation({.samples = 0, .wanted = 5}, absl::Seconds(1)), "0/5 samples");
  EXPECT_EQ(FormatEvaluation({.samples = 2, .wanted = 5, .left_out = 1, .steps = 10, .all_steps = 40},
                             absl::Seconds(20)),
            "2/5 samples, 1 left out, 1:00 left");
}

TEST(EvaluateReporterTest, CtrlCEndsItAtTheNextStep) {
  std::istringstream in;
  std::ostringstream out, err;
  Cancellation cancellation([] {});
  Console console{.in = in, .out = out, .err = err, .cancellation = cancellation};
  EvaluateReporter reporter(console);
  EXPECT_TRUE(reporter.OnProgress({.wanted = 2}).ok());
  reporter.Cancel();
  EXPECT_TRUE(absl::IsCancelled(reporter.OnProgress({.wanted = 2})));
  for (int64_t i = 0; i < 20; ++i) reporter.OnLeftOut({.sample = i, .fault = "no picture"});
  EXPECT_THAT(err.str(), HasSubstr("sample 0 (example 0 of the split) is left out: no picture"));
  EXPECT_THAT(err.str(), ::testing::EndsWith("more such samples are only counted\n"));
}

// The profile asks for models by name; what it measures is tested in tests/common/evaluation.
constexpr TorchVerbs kNoModels{
    .create_probe = [](const ModelSource&, const ClipSource&,
                       const std::string&) -> absl::StatusOr<std::unique_ptr<PartProbe>> {
      return absl::UnimplementedError("no networks in this test");
    }};

TEST_F(EvaluateTest, TheProfileNeedsAnOutputFolderOnly) {
  torch_ = &kNoModels;
  EXPECT_EQ(Run({"evaluate", "--profile", "shapes"}), kExitUsage);
  EXPECT_THAT(err_.str(), HasSubstr("--out-dir"));
  EXPECT_EQ(Run({"evaluate", "--profile", "faces", "--out-dir", Path("e")}), kExitUsage);
  EXPECT_EQ(Run({"evaluate", "--profile", "shapes", "--models", Path("none"), "--out-dir", Path("e")}),
            kExitBadInput);
  EXPECT_THAT(err_.str(), HasSubstr("does not exist"));
  EXPECT_EQ(Run({"evaluate", "--profile", "shapes", "--models", Path("none"), "--out-dir", Path("e"),
                 "--cases", "0"}),
            kExitBadInput);
  EXPECT_THAT(err_.str(), HasSubstr("cases is 0; wants 1..100000"));
  EXPECT_EQ(Run({"evaluate", "--profile", "shapes", "--out-dir", Path("e"), "--parts", "edit,unet"}),
            kExitBadInput);
  EXPECT_THAT(err_.str(), HasSubstr("parts has \"unet\"; wants some of vae, clip, text-to-image, edit"));
  EXPECT_EQ(Run({"evaluate", "--profile", "shapes", "--out-dir", Path("e"), "--text-guidance", "3,5"}),
            kExitBadInput);
  EXPECT_THAT(err_.str(), HasSubstr("--text-guidance has 2 scales; wants one with --profile shapes"));
}

TEST_F(EvaluateTest, WithoutAProfileModelsAndDatasetAreNeeded) {
  for (const char* flag : {"--ckpt", "--clip", "--dataset"}) {
    std::vector<std::string> args = Evaluate();
    const auto at = std::find(args.begin(), args.end(), flag);
    args.erase(at, at + 2);
    EXPECT_EQ(Run(args), kExitUsage);
    EXPECT_THAT(err_.str(), HasSubstr(flag));
  }
}

}  // namespace
}  // namespace ip2p
