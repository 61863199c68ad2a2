// `ip2p train plot`: folders of runs in, charts and JSON out.
#include <gmock/gmock.h>

#include "common/base/json.h"
#include "common/image/decode.h"
#include "tests/services/cli/cli_fixture.h"

namespace ip2p {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class TrainPlotTest : public testing::CliTest {
 protected:
  // A run whose loss falls to 1 / steps; what is not finite is null.
  std::string PutRun(const std::string& name, int steps, const std::string& tail = "") {
    std::filesystem::create_directories(Path(name));
    std::string lines;
    for (int step = 1; step <= steps; ++step) {
      lines += "{\"step\":" + std::to_string(step) +
               ",\"loss\":" + (step == 2 ? "null" : std::to_string(1.0 / step)) +
               ",\"lr\":0.0001,\"samples\":32}\n";
    }
    Put(name + "/metrics.jsonl", lines + tail);
    return Path(name);
  }
  void PutValidation(const std::string& run, const std::string& step, const std::string& json) {
    std::filesystem::create_directories(Path(run + "/validation/" + step));
    Put(run + "/validation/" + step + "/metrics.json", json);
  }
};

TEST_F(TrainPlotTest, ARunAsSvgAndPng) {
  const std::string run = PutRun("first", 20, "{\"step\":21,\"lo");  // it goes on
  PutValidation("first", "step-000000010", R"({"step":10,"loss":0.5,"clip_direction":0.1,"clip_image":0.9})");
  PutValidation("first", "step-000000020", R"({"step":20,"loss":0.4,"clip_direction":0.2,"clip_image":0.8})");
  std::filesystem::create_directories(Path("first/validation/.tmp-1"));  // being written
  ASSERT_EQ(Run({"train", "plot", run, "-o", Path("curves.svg")}), kExitOk) << err_.str();
  const std::string svg = Get("curves.svg");
  for (const char* title :
       {"Training loss", "Validation loss", "CLIP direction similarity", "CLIP image similarity"}) {
    EXPECT_THAT(svg, HasSubstr(title));
  }
  EXPECT_THAT(svg, Not(HasSubstr(">first<"))) << "one run needs no legend";
  ASSERT_EQ(Run({"train", "plot", run, "-o", Path("curves.PNG")}), kExitOk) << err_.str();
  const auto png = DecodeImage(Get("curves.PNG"));
  ASSERT_TRUE(png.ok()) << png.status();
  EXPECT_EQ(png->image.width, 2 * 2 * 440);
  EXPECT_EQ(png->image.height, 2 * 2 * 300);
  ASSERT_EQ(Run({"train", "plot", run, "-o", "-"}), kExitOk);
  EXPECT_EQ(out_.str(), svg);
}

TEST_F(TrainPlotTest, SeveralRunsAreNamed) {
  const std::string first = PutRun("a/first", 20), second = PutRun("a/second", 10),
                    same = PutRun("b/first", 5);
  ASSERT_EQ(Run({"train", "plot", first, second + "/", "-o", Path("two.svg")}), kExitOk) << err_.str();
  EXPECT_THAT(Get("two.svg"), HasSubstr(">first<"));
  EXPECT_THAT(Get("two.svg"), HasSubstr(">second<"));
  EXPECT_THAT(Get("two.svg"), Not(HasSubstr("Validation loss")));
  ASSERT_EQ(Run({"train", "plot", first, same, "-o", Path("same.svg")}), kExitOk) << err_.str();
  EXPECT_THAT(Get("same.svg"), HasSubstr(">" + first + "<"));
  EXPECT_THAT(Get("same.svg"), HasSubstr(">" + same + "<"));
}

TEST_F(TrainPlotTest, CurvesAsJson) {
  const std::string run = PutRun("first", 3);
  PutValidation("first", "step-000000003", R"({"step":3,"loss":0.5})");
  ASSERT_EQ(Run({"train", "plot", run, "--json"}), kExitOk) << err_.str();
  EXPECT_EQ(nlohmann::json::parse(out_.str()), nlohmann::json::parse(R"({"runs": [{"name": "first", "step": 3,
      "loss": [[1.0, 1.0], [2.0, null], [3.0, 0.333333]],
      "validations": [{"step": 3, "loss": 0.5, "clip_direction": null, "clip_image": null}]}]})"));
}

TEST_F(TrainPlotTest, ALongRunStaysSmall) {
  const std::string run = PutRun("long", 100000);
  ASSERT_EQ(Run({"train", "plot", run, "-o", Path("long.svg"), "--json"}), kExitOk) << err_.str();
  EXPECT_LT(Get("long.svg").size(), 100'000u);
  const nlohmann::json loss = nlohmann::json::parse(out_.str())["runs"][0]["loss"];
  EXPECT_GE(loss.size(), 512u);
  EXPECT_LE(loss.size(), 1024u);
}

TEST_F(TrainPlotTest, WhatIsNoRunIsRefused) {
  EXPECT_EQ(Run({"train", "plot", Path("none"), "-o", Path("x.svg")}), kExitBadInput);
  EXPECT_THAT(err_.str(), HasSubstr("none/metrics.jsonl cannot be read; wants the folder of a run"));
  EXPECT_EQ(Run({"train", "plot", PutRun("empty", 0), "-o", Path("x.svg")}), kExitBadInput);
  EXPECT_THAT(err_.str(), HasSubstr("holds no step"));
  EXPECT_EQ(Run({"train", "plot", PutRun("torn", 3, "{\"step\"\n{\"step\":4}\n"), "-o", Path("x.svg")}),
            kExitBadInput);
  EXPECT_THAT(err_.str(), HasSubstr("line 4 of"));
  EXPECT_EQ(Run({"train", "plot", PutRun("back", 3, "{\"step\":3,\"loss\":1}\n"), "-o", Path("x.svg")}),
            kExitBadInput);
  EXPECT_THAT(err_.str(), HasSubstr("step is 3; wants more than the 3 before"));
  const std::string run = PutRun("first", 3);
  PutValidation("first", "step-000000003", "[]");
  EXPECT_EQ(Run({"train", "plot", run, "-o", Path("x.svg")}), kExitBadInput);
  EXPECT_THAT(err_.str(), HasSubstr("step-000000003/metrics.json"));
  EXPECT_FALSE(Exists("x.svg"));
}

TEST_F(TrainPlotTest, WrongFlagsDoNothing) {
  const std::string run = PutRun("first", 3);
  EXPECT_EQ(Run({"train", "plot", run}), kExitUsage);
  EXPECT_EQ(Run({"train", "plot", "-o", Path("x.svg")}), kExitUsage);
  EXPECT_EQ(Run({"train", "plot", run, "-o", Path("x.gif")}), kExitUsage);
  EXPECT_THAT(err_.str(), HasSubstr("ends in .svg or .png"));
  EXPECT_EQ(Run({"train", "plot", run, "-o", "-", "--json"}), kExitUsage);
  EXPECT_EQ(Run({"train", "plot", run, run, run, run, run, run, run, run, "-o", Path("x.svg")}), kExitUsage);
  EXPECT_THAT(err_.str(), HasSubstr("are 8; wants 1..7"));
}

}  // namespace
}  // namespace ip2p
