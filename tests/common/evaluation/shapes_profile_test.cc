// The profile's figures: full for models that know the world, and what they lose when a part fails.
#include "common/evaluation/shapes_profile.h"

#include <gmock/gmock.h>

#include "common/base/json.h"
#include "common/evaluation/shapes_report.h"
#include "tests/common/evaluation/drawing_models.h"
#include "tests/fakes/temp_folder.h"

namespace ip2p {
namespace {

using ::testing::HasSubstr;

class ShapesProfileTest : public ::testing::Test {
 protected:
  absl::StatusOr<ShapesFigures> Measure() {
    return MeasureShapes(options_, {&probe_, &sampler_, editor_},
                         [this](int64_t done, int64_t all) { return Progress(done, all); });
  }
  absl::Status Progress(int64_t done, int64_t all) {
    done_ = done;
    all_ = all;
    return done >= stop_at_ ? absl::CancelledError("enough") : absl::OkStatus();
  }

  ShapesOptions options_{
      .cases = 30, .curve_cases = 10, .curve_image = {1, 2}, .curve_text = {5}, .sheet_cells = 6};
  DrawingProbe probe_;
  DrawingSampler sampler_;
  DrawingEditor editor_;
  int64_t stop_at_ = INT64_MAX, done_ = 0, all_ = 0;
};

TEST_F(ShapesProfileTest, WhoKnowsTheWorldIsFullyRight) {
  const auto figures = Measure();
  ASSERT_TRUE(figures.ok()) << figures.status();
  EXPECT_EQ(figures->psnr, 100);
  EXPECT_EQ(figures->same_scene.hits, 30);
  EXPECT_EQ(figures->retrieval.share(), 1);
  EXPECT_EQ(figures->retrieval.cases, 64);
  EXPECT_EQ(figures->one_object.hits, 30);
  EXPECT_EQ(figures->two_objects.hits, 30);
  EXPECT_EQ(figures->edits.both.hits, 30);
  int64_t kinds = 0;
  for (const EditTally& kind : figures->edits_by_kind) {
    EXPECT_GT(kind.both.cases, 0);
    kinds += kind.both.cases;
  }
  EXPECT_EQ(kinds, 30);
  ASSERT_EQ(figures->curve.size(), 3u);
  EXPECT_EQ(figures->curve[2].guidance, (Guidance{.text = 5, .image = 1.5}));
  EXPECT_EQ(figures->edits_sheet.size(), 6u);
  EXPECT_EQ(figures->captions_sheet.size(), 6u);
  EXPECT_EQ(done_, all_);
  for (const PairParams& params : sampler_.asked) {
    EXPECT_EQ(params.max_p2p, 0) << "two captions must share nothing";
    EXPECT_EQ(params.min_cfg, options_.caption_guidance);
  }
}

TEST_F(ShapesProfileTest, PartsAreMeasuredAlone) {
  options_.parts = {"edit"};
  const auto figures = MeasureShapes(options_, {nullptr, nullptr, editor_},
                                     [this](int64_t done, int64_t all) { return Progress(done, all); });
  ASSERT_TRUE(figures.ok()) << figures.status();
  EXPECT_EQ(done_, 60);  // 30 cases and three points of 10
  EXPECT_EQ(all_, 60);
  EXPECT_EQ(figures->edits.both.hits, 30);
  const auto json = nlohmann::json::parse(ShapesJson(*figures, {}));
  EXPECT_TRUE(json.contains("edit_both"));
  for (const char* key : {"vae_psnr_db", "vae_same_scene", "clip_retrieval", "text_to_image_one"})
    EXPECT_FALSE(json.contains(key)) << key;
  options_.parts = {"vae"};
  const auto vae = Measure();
  ASSERT_TRUE(vae.ok()) << vae.status();
  EXPECT_EQ(done_, 30);
  EXPECT_THAT(ShapesText(*vae), ::testing::Not(HasSubstr("edits")));
}

TEST_F(ShapesProfileTest, FailuresShowWhereTheyAre) {
  probe_.knows = false;
  editor_.idle_from = 1.5;
  const auto figures = Measure();
  ASSERT_TRUE(figures.ok()) << figures.status();
  EXPECT_EQ(figures->retrieval.hits, 1);
  EXPECT_EQ(figures->edits.changed.hits, 0);  // nothing was done
  EXPECT_EQ(figures->edits.kept.hits, 30);
  EXPECT_EQ(figures->edits.both.hits, 0);
  EXPECT_EQ(figures->curve[0].tally.both.hits, 10);    // image guidance 1
  EXPECT_EQ(figures->curve[1].tally.changed.hits, 0);  // image guidance 2
  EXPECT_FALSE(figures->edits_sheet[0].good);
}

TEST_F(ShapesProfileTest, EqualSeedsAreEqualFigures) {
  const auto one = Measure(), other = Measure();
  ASSERT_TRUE(one.ok() && other.ok());
  EXPECT_EQ(ShapesJson(*one, {}), ShapesJson(*other, {}));
  EXPECT_EQ(one->edits_sheet[3].title, other->edits_sheet[3].title);
  options_.seed = 7;
  EXPECT_NE(Measure()->edits_sheet[3].title, one->edits_sheet[3].title);
}

TEST_F(ShapesProfileTest, CancellingEndsIt) {
  stop_at_ = 40;
  EXPECT_EQ(Measure().status(), absl::CancelledError("enough"));
}

TEST_F(ShapesProfileTest, BadOptionsAreListedTogether) {
  options_.cases = 0;
  options_.steps = 1001;
  options_.guidance.image = -1;
  options_.parts = {"unet"};
  const absl::Status status = Measure().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("cases is 0; wants 1..100000"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("steps is 1001"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("image_guidance is -1"));
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("parts has \"unet\"; wants some of vae, clip, text-to-image, edit"));
}

TEST_F(ShapesProfileTest, ReportsHoldEveryFigure) {
  const auto figures = Measure();
  ASSERT_TRUE(figures.ok()) << figures.status();
  const TempFolder folder;
  ASSERT_TRUE(WriteShapes(*figures, {{"steps", 30}}, folder.In("out/deep")).ok());
  for (const char* name : {"figures.json", "captions.png", "edits.png", "curve.svg", "curve.png"})
    EXPECT_TRUE(std::filesystem::exists(folder.In(std::string("out/deep/") + name))) << name;
  const auto json = nlohmann::json::parse(ShapesJson(*figures, {{"steps", 30}}));
  EXPECT_EQ(json["settings"]["steps"], 30);
  EXPECT_EQ(json["edit_both"]["share"], 1);
  EXPECT_EQ(json["curve"].size(), 3u);
  const std::string text = ShapesText(*figures);
  EXPECT_THAT(text, HasSubstr("edits: both                                100.0 %   30 of 30   (wants 75)"));
  EXPECT_THAT(text, HasSubstr("of another background"));
}

}  // namespace
}  // namespace ip2p
