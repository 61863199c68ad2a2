// The curve as a table, JSON and chart; what is unknown is told, not guessed.
#include "common/evaluation/curve_report.h"

#include <cmath>

#include "common/evaluation/evaluation_options.h"
#include "common/plot/svg_chart.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/fakes/temp_folder.h"

namespace ip2p {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

Figures Some(double image, std::optional<double> direction) {
  Figures figures;
  At(figures, Metric::kClipImage) = image;
  At(figures, Metric::kClipDirection) = direction;
  At(figures, Metric::kL1) = 0.25;
  return figures;
}

// Two samples, of which one has no captions, and a damaged one.
GuidanceCurve Curve(const std::vector<Guidance>& guidances) {
  std::vector<SampleRecord> records(3);
  for (size_t i = 0; i < guidances.size(); ++i) {
    const double n = static_cast<double>(i);
    records[0].edits.push_back({guidances[i], Some(0.5 + n / 8, 0.5 - n / 8)});
    records[1].edits.push_back({guidances[i], Some(1, std::nullopt)});
  }
  records[2].fault = "no picture";
  return CurveOf(guidances, records);
}

TEST(CurveReport, TableAndJsonSayTheSame) {
  const GuidanceCurve curve = Curve({{7.5, 1}, {7.5, 2}});
  EXPECT_EQ(CurveCsv(curve),
            "text_guidance,image_guidance,samples,captioned,clip_direction,clip_image,clip_caption,clip_t,"
            "clip_i,l1,l2\n"
            "7.5,1,2,1,0.5,0.75,,,,0.25,\n"
            "7.5,2,2,1,0.375,0.8125,,,,0.25,\n");
  const RunSettings settings = {{"clip_input", "reference"}};
  const auto json = nlohmann::json::parse(CurveJson(curve, settings), nullptr, false);
  EXPECT_EQ(json["settings"]["clip_input"], "reference");
  EXPECT_EQ(json["samples"], 2);
  EXPECT_EQ(json["left_out"], 1);
  EXPECT_EQ(json["points"][1]["image_guidance"], 2);
  EXPECT_EQ(json["points"][1]["clip_image"], 0.8125);
  EXPECT_EQ(json["points"][1]["captioned"], 1);
  EXPECT_TRUE(json["points"][1]["clip_t"].is_null());
}

TEST(CurveReport, TheChartIsDirectionAgainstImageALineATextGuidance) {
  // Lists in any order: a line follows the image guidance.
  const auto panels = CurvePanels(Curve({{7.5, 2}, {7.5, 1}, {10, 2}, {10, 1}}));
  ASSERT_THAT(panels, SizeIs(3));
  ASSERT_THAT(panels[0].series, SizeIs(2));
  EXPECT_THAT(panels[0].series[0].x, ElementsAre(0.375, 0.5));
  EXPECT_THAT(panels[0].series[0].y, ElementsAre(0.8125, 0.75));
  EXPECT_THAT(panels[0].series[0].labels, ElementsAre("1", "2"));
  EXPECT_EQ(panels[0].series[1].name, "text guidance 10; at the points: image guidance");
  EXPECT_THAT(panels[2].series[0].x, ElementsAre(1, 2));
  EXPECT_THAT(panels[2].series[0].y, ElementsAre(0.25, 0.25));
  EXPECT_TRUE(std::isnan(panels[1].series[0].y[0])) << "CLIP-I is unknown";
  EXPECT_EQ(panels[2].series[3].name, "L2, text guidance 10");
}

TEST(CurveReport, FourFilesAreWritten) {
  const TempFolder folder;
  const GuidanceCurve curve = Curve({{7.5, 1}, {7.5, 2}});
  ASSERT_TRUE(WriteCurve(curve, {}, folder.path()).ok());
  EXPECT_EQ(folder.Read("curve.csv"), CurveCsv(curve));
  EXPECT_EQ(folder.Read("curve.json"), CurveJson(curve, {}));
  EXPECT_EQ(folder.Read("curve.svg"), SvgOf(CurvePanels(curve), 3));
  EXPECT_THAT(folder.Read("curve.svg"), HasSubstr("CLIP text-image direction similarity"));
  EXPECT_THAT(folder.Read("curve.png").substr(0, 4), HasSubstr("PNG"));
  EXPECT_FALSE(WriteCurve(curve, {}, folder.In("none")).ok());
}

TEST(EvaluationOptions, DefaultsAreTheReferences) {
  const EvaluationOptions options;
  EXPECT_TRUE(ValidateEvaluation(options).ok());
  EXPECT_THAT(GuidancesOf(options), SizeIs(7));
  EXPECT_EQ(GuidancesOf(options)[6], (Guidance{7.5, 2.2}));
  EXPECT_EQ(SettingsOf(options).dump(),
            "{\"split\":\"test\",\"resolution\":512,\"steps\":100,\"text_guidance\":[7.5],\"image_guidance\":"
            "[1.0,1.2,1.4,1.6,1.8,2.0,2.2],\"seed\":0,\"clip_input\":\"standard\",\"save_images\":false}");
}

TEST(EvaluationOptions, AllFaultsAreListed) {
  EvaluationOptions options;
  options.max_samples = 0;
  options.resolution = 100;
  options.steps = 0;
  options.text_guidance = {-1, NAN};
  options.image_guidance = {1, 1};
  EXPECT_EQ(
      ValidateEvaluation(options).message(),
      "max_samples is 0; wants 1..1000000; resolution is 100; wants a multiple of 64 in 64..2048; steps "
      "is 0; wants 1..1000; text_guidance is -1; wants a finite number in 0..100; text_guidance is nan; "
      "wants a finite number in 0..100; image_guidance holds 1 twice; wants different numbers");
  options = {};
  options.text_guidance = {};
  options.image_guidance.clear();
  EXPECT_THAT(std::string(ValidateEvaluation(options).message()), HasSubstr("text_guidance is empty"));
  for (int i = 0; i < 257; ++i) options.image_guidance.push_back(i / 10.0);
  options.text_guidance = {1};
  EXPECT_THAT(std::string(ValidateEvaluation(options).message()),
              HasSubstr("make 257 edits of a photo; wants at most 256"));
}

TEST(EvaluationOptions, ListsAndSplitsAreRead) {
  EXPECT_THAT(*ParseGuidanceList("text_guidance", "7.5, 10"), ElementsAre(7.5, 10));
  for (const char* wrong : {"", "1,", "1;2", "one"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ParseGuidanceList("text_guidance", wrong).status())) << wrong;
  }
  EXPECT_EQ(ParseGuidanceList("image_guidance", "1,x").status().message(),
            "image_guidance holds \"x\"; wants numbers, separated by commas");
  for (const Split split : {Split::kTrain, Split::kValidation, Split::kTest})
    EXPECT_EQ(*ParseSplit(SplitName(split)), split);
  EXPECT_EQ(ParseSplit("dev").status().message(), "split is \"dev\"; wants train, val or test");
}

TEST(Figures, ArePixelsInUnitRange) {
  const Image edit{1, 2, {0, 51, 255, 0, 0, 0}}, target{1, 2, {0, 0, 0, 0, 0, 0}};
  const auto figures = FiguresOf({.clip_image = 0.5, .clip_t = 0.25}, edit, target);
  ASSERT_TRUE(figures.ok());
  EXPECT_DOUBLE_EQ(*At(*figures, Metric::kL1), 1.2 / 6);
  EXPECT_DOUBLE_EQ(*At(*figures, Metric::kL2), 1.04 / 6);
  EXPECT_EQ(At(*figures, Metric::kClipT), 0.25);
  EXPECT_FALSE(At(*figures, Metric::kClipI).has_value());
  EXPECT_FALSE(At(*FiguresOf({}, edit, {}), Metric::kL1).has_value());
  EXPECT_EQ(FiguresOf({}, edit, {2, 1, {0, 0, 0, 0, 0, 0}}).status().message(),
            "an edit is 1x2; wants its target's 2x1");
  EXPECT_TRUE(absl::IsInternal(FiguresOf({.clip_image = NAN}, edit, target).status()));
}

TEST(SampleRecord, ComesBackAsItWas) {
  SampleRecord record{.sample = 3, .example = 17, .choice = 1, .seed = 4294967295};
  record.edits.push_back({{7.5, 1.2}, Some(1.0 / 3, 0.1)});
  EXPECT_EQ(*ParseSampleLine(SampleLine(record)), record);
  const SampleRecord damaged{.sample = 4, .fault = "\"a\" is no picture"};
  EXPECT_EQ(*ParseSampleLine(SampleLine(damaged)), damaged);
  EXPECT_EQ(ParseSampleLine("{\"sample\":-1}").status().message(),
            "sample is missing or of another type; wants a whole number");
  EXPECT_FALSE(ParseSampleLine("[]").ok());
}

}  // namespace
}  // namespace ip2p
