// Flags, variables and the settings file: what wins, what is refused, and with which exit code.
#include <gmock/gmock.h>

#include "common/base/json.h"
#include "common/image/decode.h"
#include "common/image/encode.h"
#include "tests/services/cli/cli_fixture.h"

namespace ip2p {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using testing::Variable;

// An edit with an empty instruction needs no model, so it shows how flags arrive.
class ArgumentsTest : public testing::CliTest {
 protected:
  ArgumentsTest() {
    Image photo{120, 70, std::vector<uint8_t>(120 * 70 * 3, 90)};
    input_ = Put("in.png", *EncodeImage(photo));
  }

  std::vector<std::string> Fit(const std::vector<std::string>& more) const {
    std::vector<std::string> args = {"edit", "--input", input_, "--output", Path("out.png"), "--edit", ""};
    args.insert(args.end(), more.begin(), more.end());
    return args;
  }

  nlohmann::json FitJson(const std::vector<std::string>& more) {
    std::vector<std::string> args = Fit(more);
    args.push_back("--json");
    EXPECT_EQ(Run(args), kExitOk) << err_.str();
    return nlohmann::json::parse(out_.str(), nullptr, false);
  }

  std::string input_;
};

TEST_F(ArgumentsTest, HelpAndVersion) {
  EXPECT_EQ(Run({"--help"}), kExitOk);
  EXPECT_THAT(out_.str(), HasSubstr("Exit codes:"));
  EXPECT_EQ(Run({"edit", "--help"}), kExitOk);
  EXPECT_THAT(out_.str(), HasSubstr("--cfg-image"));
  EXPECT_THAT(out_.str(), HasSubstr("IP2P_CFG_IMAGE"));
  EXPECT_EQ(Run({"--version"}), kExitOk);
  EXPECT_EQ(out_.str(), "ip2p " IP2P_VERSION "\n");
}

TEST_F(ArgumentsTest, WrongFlagsAreUsageFaults) {
  EXPECT_EQ(Run({}), kExitUsage);
  EXPECT_EQ(Run({"paint"}), kExitUsage);
  EXPECT_EQ(Run({"edit"}), kExitUsage);
  EXPECT_EQ(Run(Fit({"--stepz", "3"})), kExitUsage);
  EXPECT_EQ(Run(Fit({"--steps", "many"})), kExitUsage);
  EXPECT_EQ(Run(Fit({"--seed", "-1"})), kExitUsage);
  EXPECT_EQ(Run(Fit({"--seed", "4294967296"})), kExitUsage);
  EXPECT_EQ(Run(Fit({"--sampler", "magic"})), kExitUsage);
  EXPECT_THAT(err_.str(), HasSubstr("euler_a"));
  EXPECT_EQ(Run(Fit({"--schedule", "magic"})), kExitUsage);
  EXPECT_EQ(Run(Fit({"--precision", "int8"})), kExitUsage);
  EXPECT_EQ(Run({"server"}), kExitUsage);
  EXPECT_FALSE(Exists("out.png"));
}

TEST_F(ArgumentsTest, WhereNoModelIsNamedItIsTheMiniature) {
  Run({"edit", "--input", input_, "--output", Path("o.png"), "--edit", "x"});
  EXPECT_THAT(err_.str(), HasSubstr("no model is named: taking the miniature"));
}

TEST_F(ArgumentsTest, BadInputHasItsOwnCode) {
  EXPECT_EQ(Run(Fit({"--steps", "0"})), kExitBadInput);
  EXPECT_THAT(err_.str(), HasSubstr("steps is 0; wants 1..1000"));
  EXPECT_EQ(Run(Fit({"--cfg-text", "nan"})), kExitBadInput);
  EXPECT_EQ(Run(Fit({"--resolution", "100"})), kExitBadInput);
  EXPECT_EQ(Run({"edit", "--input", Path("none.png"), "--output", Path("o.png"), "--edit", ""}),
            kExitBadInput);
  const std::string gif = Put("x.png", "GIF89a");
  EXPECT_EQ(Run({"edit", "--input", gif, "--output", Path("o.png"), "--edit", ""}), kExitBadInput);
  EXPECT_THAT(err_.str(), HasSubstr("image is a GIF; wants JPEG, PNG or WebP"));
  EXPECT_EQ(Run({"edit", "--input", input_, "--output", Path("o.gif"), "--edit", ""}), kExitUsage);
  EXPECT_EQ(
      Run({"edit", "--input", input_, "--output", Path("o.png"), "--edit", "x", "--ckpt", Path("none")}),
      kExitBadInput);
  EXPECT_EQ(Run({"server", "models"}), kExitUsage);
}

TEST_F(ArgumentsTest, DefaultsAreTheReferences) {
  const nlohmann::json params = FitJson({})["params"];
  EXPECT_EQ(params["steps"], 100);
  EXPECT_EQ(params["resolution"], 512);
  EXPECT_EQ(params["cfg_text"], 7.5);
  EXPECT_EQ(params["cfg_image"], 1.5);
  EXPECT_EQ(params["sampler"], "euler_a");
  EXPECT_EQ(params["count"], 1);
}

TEST_F(ArgumentsTest, EmptyInstructionFitsThePhoto) {
  const nlohmann::json report = FitJson({"--resolution", "128", "--seed", "5"});
  EXPECT_EQ(report["outputs"][0]["path"], Path("out.png"));
  EXPECT_EQ(report["outputs"][0]["seed"], 5);
  const auto decoded = DecodeImage(Get("out.png"));
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(decoded->image.width, 192);
  EXPECT_EQ(decoded->image.height, 128);
  FitJson({"--resolution", "0"});
  EXPECT_EQ(DecodeImage(Get("out.png"))->image, DecodeImage(Get("in.png"))->image);
}

TEST_F(ArgumentsTest, MaskFlagsThatMakeNoSenseAreUsageFaults) {
  const std::string mask =
      Put("mask.png", *EncodeImage(Image{120, 70, std::vector<uint8_t>(120 * 70 * 3, 255)}));
  const auto fault = [&](const std::vector<std::string>& more) {
    EXPECT_EQ(Run(Fit(more)), kExitUsage) << err_.str();
    return err_.str();
  };
  EXPECT_THAT(fault({"--mask", mask, "--auto-mask"}), HasSubstr("are both given; wants one of them"));
  EXPECT_THAT(fault({"--auto-mask", "much"}), HasSubstr("--auto-mask is \"much\"; wants a number in 0..1"));
  EXPECT_THAT(fault({"--mask-output", Path("m.png")}), HasSubstr("without --auto-mask"));
  EXPECT_THAT(fault({"--auto-mask", "--mask-output", Path("m.jpg")}), HasSubstr("ends in .png"));
  EXPECT_THAT(fault({"--mask", mask, "--format", "jpg"}),
              HasSubstr("output is JPEG; a masked edit keeps pixels"));
  EXPECT_THAT(fault({"--auto-mask", "--format", "webp"}), HasSubstr("wants PNG or WebP with --lossless"));
  EXPECT_FALSE(Exists("out.png"));
}

TEST_F(ArgumentsTest, MasksThatDoNotFitAreBadInput) {
  const auto fault = [&](const std::string& mask) {
    EXPECT_EQ(Run(Fit({"--mask", mask})), kExitBadInput) << err_.str();
    return err_.str();
  };
  EXPECT_THAT(fault(Put("a.png", *EncodeImage(Image{70, 120, std::vector<uint8_t>(120 * 70 * 3, 255)}))),
              HasSubstr("mask is 70x120; wants the size of the photo, upright 120x70"));
  EXPECT_THAT(fault(Put("b.png", *EncodeImage(Image{120, 70, std::vector<uint8_t>(120 * 70 * 3, 0)}))),
              HasSubstr("mask is black everywhere"));
  EXPECT_THAT(fault(Put("c.png", "GIF89a")), HasSubstr("mask: image is a GIF"));
  EXPECT_THAT(fault(Path("none.png")), HasSubstr("none.png"));
  EXPECT_EQ(Run(Fit({"--auto-mask", "1.5"})), kExitBadInput);
  EXPECT_THAT(err_.str(), HasSubstr("auto_mask is 1.5"));
  EXPECT_EQ(Run(Fit({"--mask-feather", "65"})), kExitBadInput);
}

TEST_F(ArgumentsTest, AMaskedEditOfNothingIsThePhoto) {
  const std::string mask =
      Put("mask.png", *EncodeImage(Image{120, 70, std::vector<uint8_t>(120 * 70 * 3, 255)}));
  const nlohmann::json report = FitJson({"--mask", mask, "--resolution", "64"});
  EXPECT_EQ(report["outputs"][0]["width"], 120);
  EXPECT_EQ(report["params"]["mask"], mask);
  EXPECT_EQ(DecodeImage(Get("out.png"))->image, DecodeImage(Get("in.png"))->image);
  EXPECT_THAT(*ReadParameters(Get("out.png")), HasSubstr("Mask: given, Mask feather: 8, Size: 120x70"));
}

TEST_F(ArgumentsTest, PictureCarriesItsParameters) {
  FitJson({"--resolution", "128", "--seed", "5", "--negative", "dark"});
  EXPECT_EQ(*ReadParameters(Get("out.png")),
            "\nNegative prompt: dark\nSteps: 100, Sampler: euler_a, Schedule type: default, CFG scale: 7.5, "
            "Image CFG scale: 1.5, Seed: 5, Size: 192x128, Version: ip2p " IP2P_VERSION);
}

TEST_F(ArgumentsTest, ParametersCanBeLeftOut) {
  FitJson({"--no-parameters"});
  EXPECT_EQ(ReadParameters(Get("out.png")).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(ArgumentsTest, RandomSeedIsTold) {
  const uint32_t first = FitJson({})["params"]["seed"];
  EXPECT_THAT(err_.str(), HasSubstr("seed " + std::to_string(first)));
  const uint32_t second = FitJson({})["params"]["seed"];
  EXPECT_NE(first, second);  // once in 4 billion runs they are the same
}

TEST_F(ArgumentsTest, SeveralPicturesAreNumbered) {
  const nlohmann::json report = FitJson({"--count", "2", "--seed", "4294967295"});
  EXPECT_EQ(report["outputs"][1]["path"], Path("out-1.png"));
  EXPECT_EQ(report["outputs"][1]["seed"], 0);  // modulo 2^32
  EXPECT_TRUE(Exists("out-0.png") && Exists("out-1.png") && !Exists("out.png"));
}

TEST_F(ArgumentsTest, PipesAndFormats) {
  stdin_ = Get("in.png");
  EXPECT_EQ(Run({"edit", "-i", "-", "-o", "-", "-e", "", "--resolution", "64"}), kExitOk) << err_.str();
  EXPECT_EQ(DecodeImage(out_.str())->format, ImageFormat::kPng);
  EXPECT_EQ(Run({"edit", "-i", "-", "-o", "-", "-e", "", "--format", "webp", "--lossless"}), kExitOk);
  EXPECT_EQ(DecodeImage(out_.str())->format, ImageFormat::kWebp);
  EXPECT_EQ(Run({"edit", "-i", input_, "-o", Path("a.jpg"), "-e", "", "--quality", "50"}), kExitOk);
  EXPECT_EQ(DecodeImage(Get("a.jpg"))->format, ImageFormat::kJpeg);
  EXPECT_EQ(Run({"edit", "-i", input_, "-o", "-", "-e", "", "--json"}), kExitUsage);
  EXPECT_EQ(Run({"edit", "-i", input_, "-o", "-", "-e", "", "--count", "2"}), kExitUsage);
  EXPECT_EQ(Run({"edit", "-i", input_, "-o", Path("a.png"), "-e", "", "--lossless"}), kExitUsage);
}

TEST_F(ArgumentsTest, FlagOverVariableOverFile) {
  const std::string file =
      Put("settings.json", R"({"edit": {"steps": 11, "cfg-text": 3, "resolution": 64}})");
  const Variable variable("IP2P_STEPS", "22");
  nlohmann::json params = FitJson({})["params"];
  EXPECT_EQ(params["steps"], 22);
  std::vector<std::string> args = Fit({"--json"});
  args.insert(args.begin(), {"--config", file});
  ASSERT_EQ(Run(args), kExitOk) << err_.str();
  params = nlohmann::json::parse(out_.str())["params"];
  EXPECT_EQ(params["steps"], 22);
  EXPECT_EQ(params["cfg_text"], 3);
  EXPECT_EQ(params["resolution"], 64);
  args.insert(args.end(), {"--steps", "33"});
  ASSERT_EQ(Run(args), kExitOk) << err_.str();
  EXPECT_EQ(nlohmann::json::parse(out_.str())["params"]["steps"], 33);
}

TEST_F(ArgumentsTest, SettingsFileByVariable) {
  const Variable variable("IP2P_CONFIG", Put("settings.json", R"({"edit": {"sampler": "heun"}})"));
  EXPECT_EQ(FitJson({})["params"]["sampler"], "heun");
}

TEST_F(ArgumentsTest, FaultsOfTheSettingsFileAreListed) {
  const std::string file =
      Put("settings.json",
          R"({"edit": {"stepz": 1, "steps": "x", "sampler": "magic", "edit": "y"}, "tokens": 1})");
  EXPECT_EQ(Run({"--config", file, "server", "models"}), kExitUsage);
  for (const char* name : {"edit.stepz", "edit.steps", "edit.sampler", "edit.edit", "tokens"}) {
    EXPECT_THAT(err_.str(), HasSubstr(name));
  }
  EXPECT_EQ(Run({"--config", Put("bad.json", "[1"), "server", "models"}), kExitUsage);
  EXPECT_EQ(Run({"--config=" + Path("none.json"), "server", "models"}), kExitUsage);
}

TEST_F(ArgumentsTest, ThereIsNoFlagForASecret) {
  for (const std::vector<std::string>& help :
       {std::vector<std::string>{"edit", "--help"}, std::vector<std::string>{"server", "models", "--help"}}) {
    EXPECT_EQ(Run(help), kExitOk);
    EXPECT_THAT(out_.str(), HasSubstr("--token-file"));
    EXPECT_THAT(out_.str(), Not(HasSubstr("--token ")));
  }
}

}  // namespace
}  // namespace ip2p
