// `ip2p shapes`: sets that training and the prompt stage read, and what is on a picture.
#include <gmock/gmock.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>

#include "common/base/json.h"
#include "common/image/decode.h"
#include "common/image/encode.h"
#include "common/prompts/caption_file.h"
#include "common/shapes/compare.h"
#include "common/shapes/oracle.h"
#include "common/training/example_source.h"
#include "services/cli/shapes_folder.h"
#include "tests/services/cli/cli_fixture.h"

namespace ip2p {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::IsSubsetOf;

class ShapesTest : public testing::CliTest {
 protected:
  int Draw(const std::string& name, const std::vector<std::string>& more = {}) {
    std::vector<std::string> args = {"shapes", "draw", "--out-dir", Path(name)};
    const auto given = [&more](const char* flag) {
      return std::find(more.begin(), more.end(), flag) != more.end();
    };
    if (!given("--resolution")) args.insert(args.end(), {"--resolution", "64"});
    if (!given("--count")) args.insert(args.end(), {"--count", "300"});
    args.insert(args.end(), more.begin(), more.end());
    return Run(args);
  }

  // Every file but locks, by its name within the folder.
  std::map<std::string, std::string> Files(const std::string& name) const {
    std::map<std::string, std::string> files;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(Path(name))) {
      const std::string file = entry.path().lexically_relative(Path(name)).string();
      if (entry.is_regular_file() && file != ".lock") files[file] = Get(name + "/" + file);
    }
    return files;
  }

  std::vector<nlohmann::json> Lines(const std::string& text) const {
    std::vector<nlohmann::json> lines;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);)
      lines.push_back(nlohmann::json::parse(line, nullptr, false));
    return lines;
  }
};

TEST_F(ShapesTest, DrawsWhatTrainingReads) {
  ASSERT_EQ(Draw("set", {"--json"}), kExitOk) << err_.str();
  const auto report = nlohmann::json::parse(out_.str(), nullptr, false);
  EXPECT_EQ(report["pictures"], 300);
  EXPECT_EQ(report["drawn"], 300);
  EXPECT_GT(report["captions"], 250);
  for (const TrainObjective objective :
       {TrainObjective::kTextToImage, TrainObjective::kClip, TrainObjective::kAutoencoder}) {
    const auto source = OpenExamples(Path("set"), objective, Split::kTrain);
    ASSERT_TRUE(source.ok()) << source.status();
    EXPECT_EQ((*source)->size(), 270);
    const auto example = (*source)->Get(259, 0);
    ASSERT_TRUE(example.ok()) << example.status();
    const shapes::SampledScene sample = shapes::SampleScene(0, 259);
    EXPECT_EQ(example->text, sample.caption);
    EXPECT_EQ(DecodeImage(example->after)->image, shapes::DrawScene(sample.placed, 64));
  }
}

TEST_F(ShapesTest, CaptionsAreInputOfThePromptStage) {
  ASSERT_EQ(Draw("set", {"--json"}), kExitOk) << err_.str();
  const int64_t different = nlohmann::json::parse(out_.str(), nullptr, false)["captions"];
  const auto captions = CaptionFile::Open(Path("set/captions.jsonl"), {.temp_folder = Path("")});
  ASSERT_TRUE(captions.ok()) << captions.status();
  ASSERT_EQ((*captions)->size(), different);
  for (int64_t i = 0; i < different; ++i) EXPECT_EQ((*captions)->Read(i)->state, CaptionState::kGood);
  ASSERT_EQ(Run({"prompts", "generate", "--provider", "shapes", "--captions", Path("set/captions.jsonl"),
                 "--out", Path("prompts.jsonl")}),
            kExitOk)
      << err_.str();
  EXPECT_EQ(Lines(Get("prompts.jsonl")).size(), static_cast<size_t>(different));
}

TEST_F(ShapesTest, ASceneStandsBesideItsPicture) {
  ASSERT_EQ(Draw("set"), kExitOk) << err_.str();
  const std::vector<nlohmann::json> lines = Lines(Get("set/metadata.jsonl"));
  ASSERT_EQ(lines.size(), 300u);
  const shapes::PlacedScene placed = shapes::SampleScene(0, 7).placed;
  EXPECT_EQ(lines[7]["file_name"], "0000000/00000007.png");
  EXPECT_EQ(lines[299]["file_name"], "0000001/00000299.png");
  ASSERT_EQ(lines[7]["scene"]["objects"].size(), placed.spots.size());
  EXPECT_NEAR(lines[7]["scene"]["objects"][0]["x"], placed.spots[0].x * 64, 0.01);
}

TEST_F(ShapesTest, AnInterruptedSetIsContinuedToTheSameBytes) {
  ASSERT_EQ(Draw("whole", {"--threads", "1"}), kExitOk) << err_.str();
  std::atomic<bool> cancelled = false;
  const DrawOptions options{
      .count = 300, .side = 64, .cancelled = &cancelled, .progress = [&cancelled](int64_t, int64_t) {
        cancelled = true;
      }};
  EXPECT_EQ(DrawFolder(Path("part"), options).status().code(), absl::StatusCode::kCancelled);
  EXPECT_TRUE(Exists("part/0000000"));
  EXPECT_FALSE(Exists("part/0000001"));
  EXPECT_FALSE(Exists("part/metadata.jsonl"));
  std::filesystem::create_directory(Path("part/.tmp-0000001-dead"));  // of a process that was killed
  ASSERT_EQ(Draw("part", {"--json"}), kExitOk) << err_.str();
  EXPECT_EQ(nlohmann::json::parse(out_.str(), nullptr, false)["drawn"], 44);
  EXPECT_EQ(Files("part"), Files("whole"));
  ASSERT_EQ(Draw("part", {"--json"}), kExitOk) << err_.str();
  EXPECT_EQ(nlohmann::json::parse(out_.str(), nullptr, false)["drawn"], 0);
  EXPECT_EQ(Files("part"), Files("whole"));
}

TEST_F(ShapesTest, OtherSettingsAreRefused) {
  ASSERT_EQ(Draw("set"), kExitOk) << err_.str();
  const auto before = Files("set");
  EXPECT_EQ(Draw("set", {"--seed", "1"}), kExitBadInput);
  EXPECT_THAT(err_.str(), HasSubstr("was made with seed 0; wants seed 1"));
  EXPECT_EQ(Files("set"), before);
  EXPECT_EQ(Run({"shapes", "draw", "--out-dir", Path("new"), "--count", "0"}), kExitBadInput);
  EXPECT_THAT(err_.str(), HasSubstr("count is 0; wants 1..10000000"));
  EXPECT_EQ(Run({"shapes", "draw", "--out-dir", Path("new"), "--resolution", "16"}), kExitBadInput);
  EXPECT_THAT(err_.str(), HasSubstr("resolution is 16; wants 32..1024"));
  EXPECT_EQ(Run({"shapes", "draw", "--out-dir", Path("new"), "--alike", "65"}), kExitBadInput);
  EXPECT_THAT(err_.str(), HasSubstr("alike is 65; wants 1..64"));
  EXPECT_EQ(Run({"shapes", "draw", "--out-dir", Path("new"), "--places", "none"}), kExitUsage);
  EXPECT_FALSE(Exists("new"));
  EXPECT_EQ(Run({"shapes", "draw"}), kExitUsage);
}

TEST_F(ShapesTest, DrawsFamiliesThatTellTheirPlaces) {
  ASSERT_EQ(Draw("set", {"--count", "24", "--alike", "8", "--places", "all"}), kExitOk) << err_.str();
  const std::vector<nlohmann::json> lines = Lines(Get("set/metadata.jsonl"));
  ASSERT_EQ(lines.size(), 24u);
  for (int i = 0; i < 24; ++i) {
    const shapes::SampledScene sample =
        shapes::SampleScene(0, i, {.places = shapes::PlacesTold::kAll, .alike = 8});
    EXPECT_EQ(lines[static_cast<size_t>(i)]["caption"], sample.caption);
    EXPECT_EQ(lines[static_cast<size_t>(i)]["scene"]["objects"].size(),
              lines[static_cast<size_t>(i / 8 * 8)]["scene"]["objects"].size());
  }
  EXPECT_EQ(Draw("set", {"--count", "24", "--alike", "8"}), kExitBadInput);
  EXPECT_THAT(err_.str(), HasSubstr("places_told"));
}

TEST_F(ShapesTest, DrawsWhatEditsLeadTo) {
  Put("prompts.jsonl",
      R"({"caption":"a red ring on sand","edit":"make it blue","output":"a blue ring on sand"}
{"caption":"a star","edit":"put it on grass","output":"A star at night."}
)");
  const std::vector<std::string> args = {
      "shapes",       "draw", "--out-dir", Path("set"), "--prompts-file", Path("prompts.jsonl"),
      "--resolution", "64"};
  EXPECT_EQ(Run(args), kExitBadInput);
  EXPECT_THAT(err_.str(), HasSubstr("line 2 of the prompts: "));
  Put("prompts.jsonl",
      R"({"caption":"a red ring on sand","edit":"make it blue","output":"a blue ring on sand"}
{"caption":"a red star","edit":"at night","output":"A red star at night."}
)");
  ASSERT_EQ(Run(args), kExitOk) << err_.str();
  const std::vector<nlohmann::json> lines = Lines(Get("set/metadata.jsonl"));
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[1]["caption"], "A red star at night.");
  const auto picture = DecodeImage(Get("set/" + lines[1]["file_name"].get<std::string>()));
  ASSERT_TRUE(picture.ok());
  const shapes::SceneReading reading = shapes::ReadScene(picture->image);
  ASSERT_TRUE(reading.seen());
  EXPECT_EQ(reading.background, shapes::Background::kNight);

  // The same set goes on; that of other prompts is another one.
  EXPECT_EQ(Run(args), kExitOk) << err_.str();
  Put("prompts.jsonl", R"({"caption":"a red ring","edit":"make it blue","output":"a blue ring"}
{"caption":"a red star","edit":"at night","output":"A red star at night."}
)");
  EXPECT_EQ(Run(args), kExitBadInput);
  EXPECT_THAT(err_.str(), HasSubstr("prompts_sha256"));
  std::vector<std::string> random = args;
  random.insert(random.end(), {"--count", "5"});
  EXPECT_EQ(Run(random), kExitUsage);
}

TEST_F(ShapesTest, DrawsScenesOfOneObject) {
  ASSERT_EQ(Draw("set", {"--count", "12", "--objects", "1"}), kExitOk) << err_.str();
  const std::vector<nlohmann::json> lines = Lines(Get("set/metadata.jsonl"));
  ASSERT_EQ(lines.size(), 12u);
  for (const nlohmann::json& line : lines) EXPECT_EQ(line["scene"]["objects"].size(), 1u);
  EXPECT_EQ(Draw("new", {"--objects", "3"}), kExitBadInput);
  EXPECT_THAT(err_.str(), HasSubstr("objects is 3; wants 1 or 2"));
}

TEST_F(ShapesTest, PlainScenesDifferInShapesOnly) {
  ASSERT_EQ(Draw("set", {"--count", "40", "--plain"}), kExitOk) << err_.str();
  std::set<std::string> shapes;
  for (const nlohmann::json& line : Lines(Get("set/metadata.jsonl"))) {
    const nlohmann::json& scene = line["scene"];
    EXPECT_EQ(scene["background"], "white");
    std::set<std::string> colors;
    for (const nlohmann::json& object : scene["objects"]) {
      shapes.insert(object["shape"]);
      colors.insert(object["color"]);
      EXPECT_THAT(std::string(line["caption"]),
                  HasSubstr(std::string(object["color"]) + " " + std::string(object["shape"])));
    }
    EXPECT_EQ(colors.size(), scene["objects"].size()) << "two objects of one colour";
    EXPECT_THAT(colors, IsSubsetOf({"blue", "black"}));
  }
  EXPECT_EQ(shapes.size(), 8u);
  EXPECT_EQ(Draw("set", {"--count", "40"}), kExitBadInput);
  EXPECT_THAT(err_.str(), HasSubstr("plain"));
  EXPECT_EQ(Draw("new", {"--plain", "--alike", "8"}), kExitBadInput);
  EXPECT_THAT(err_.str(), HasSubstr("alike is 8; wants 1 with plain scenes"));
}

TEST_F(ShapesTest, ReadsWhatItDrew) {
  ASSERT_EQ(Draw("set", {"--resolution", "128", "--count", "5"}), kExitOk) << err_.str();
  std::vector<std::string> args = {"shapes", "read", "--json"};
  for (int i = 0; i < 5; ++i) args.push_back(Path("set/0000000/0000000" + std::to_string(i) + ".png"));
  ASSERT_EQ(Run(args), kExitOk) << err_.str();
  const std::vector<nlohmann::json> lines = Lines(out_.str());
  ASSERT_EQ(lines.size(), 5u);
  const std::vector<nlohmann::json> told = Lines(Get("set/metadata.jsonl"));
  for (size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(lines[i]["file"], args[i + 3]);
    EXPECT_EQ(lines[i]["background"], told[i]["scene"]["background"]);
    EXPECT_EQ(lines[i]["objects"].size(), told[i]["scene"]["objects"].size());
    EXPECT_GT(lines[i]["confidence"], 0.7);
    EXPECT_FALSE(lines[i].contains("doubt"));
  }
  stdin_ = Get("set/0000000/00000000.png");
  ASSERT_EQ(Run({"shapes", "read", "-"}), kExitOk) << err_.str();
  EXPECT_THAT(out_.str(), HasSubstr("(confidence "));
}

TEST_F(ShapesTest, SaysWhenAPictureIsNoScene) {
  const Image blank{.width = 64, .height = 64, .pixels = std::vector<uint8_t>(64 * 64 * 3, 250)};
  const std::string path = Put("blank.png", *EncodeImage(blank));
  ASSERT_EQ(Run({"shapes", "read", path}), kExitOk);
  EXPECT_EQ(out_.str(), path + ": no scene: no object is there\n");
  ASSERT_EQ(Run({"shapes", "read", "--json", path}), kExitOk);
  EXPECT_EQ(Lines(out_.str())[0]["doubt"], "no object is there");
}

TEST_F(ShapesTest, OneBadPictureDoesNotHideTheOthers) {
  const Image blank{.width = 64, .height = 64, .pixels = std::vector<uint8_t>(64 * 64 * 3, 250)};
  const std::string good = Put("blank.png", *EncodeImage(blank));
  const std::string bad = Put("bad.png", "GIF89a");
  EXPECT_EQ(Run({"shapes", "read", bad, Path("absent.png"), good}), kExitBadInput);
  EXPECT_THAT(out_.str(), HasSubstr("blank.png: no scene"));
  EXPECT_THAT(err_.str(), HasSubstr("bad.png: image is a GIF; wants JPEG, PNG or WebP"));
  EXPECT_THAT(err_.str(), HasSubstr("absent.png"));
}

TEST_F(ShapesTest, SheetsShowEditsSideBySide) {
  ASSERT_EQ(Draw("set", {"--count", "2"}), kExitOk) << err_.str();
  const std::string one = Path("set/0000000/00000000.png"), other = Path("set/0000000/00000001.png");
  ASSERT_EQ(
      Run({"shapes", "sheet", "-o", Path("sheet.png"), one, "make it blue", other, other, "again", one}),
      kExitOk)
      << err_.str();
  const auto sheet = DecodeImage(Get("sheet.png"));
  ASSERT_TRUE(sheet.ok()) << sheet.status();
  EXPECT_GT(sheet->image.width, 4 * 64);
  EXPECT_EQ(Run({"shapes", "sheet", "-o", Path("s.png"), one, "make it blue"}), kExitBadInput);
  EXPECT_THAT(err_.str(), HasSubstr("BEFORE WORDS AFTER"));
  EXPECT_EQ(Run({"shapes", "sheet", "-o", Path("s.png"), one, "words", Put("text.png", "no picture")}),
            kExitBadInput);
  EXPECT_THAT(err_.str(), HasSubstr("text.png: "));
}

}  // namespace
}  // namespace ip2p
