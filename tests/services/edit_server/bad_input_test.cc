// Requests that make no sense: each has its code and a message that names the field, and the next good one is
// answered.
#include <cmath>
#include <functional>
#include <limits>

#include "gmock/gmock.h"
#include "tests/services/edit_server/server_fixture.h"

namespace ip2p::edit_server {
namespace {

using ::testing::HasSubstr;

struct BadCase {
  const char* name;
  std::function<void(EditRequest&)> spoil;
  const char* message;
  absl::StatusCode code = absl::StatusCode::kInvalidArgument;
};

void PrintTo(const BadCase& bad, std::ostream* out) { *out << bad.name; }

void SetPhoto(EditRequest& request, std::string bytes) {
  request.mutable_image()->set_data(std::move(bytes));
}
edit::v1::EditParams& Params(EditRequest& request) { return *request.mutable_params(); }

std::vector<BadCase> BadCases() {
  const std::string jpeg = testing::MakeJpeg({});
  const std::string png = testing::MakePng({.rows = std::string(48, 'x')});
  return {
      {"no_photo", [](EditRequest& r) { r.clear_image(); }, "image is empty; wants a JPEG, PNG or WebP file"},
      {"gif", [](EditRequest& r) { SetPhoto(r, "GIF89a-and-more-bytes"); },
       "image is a GIF; wants JPEG, PNG or WebP"},
      {"svg", [](EditRequest& r) { SetPhoto(r, "<svg xmlns='http://www.w3.org/2000/svg'/>"); },
       "wants JPEG, PNG or WebP"},
      {"garbage", [](EditRequest& r) { SetPhoto(r, std::string(1000, '\x01')); }, "wants JPEG, PNG or WebP"},
      {"truncated", [](EditRequest& r) { SetPhoto(r, Photo().substr(0, 100)); }, "image: "},
      {"over_20_mb", [](EditRequest& r) { SetPhoto(r, Photo() + std::string(20'000'001, 'x')); },
       "wants at most 20000000"},
      {"jpeg_claims_65500", [=](EditRequest& r) { SetPhoto(r, testing::WithJpegSize(jpeg, 65500, 65500)); },
       "65500"},
      {"png_claims_30000", [=](EditRequest& r) { SetPhoto(r, testing::WithPngSize(png, 30000, 30000)); },
       "30000"},
      {"wrong_declared_format",
       [](EditRequest& r) { r.mutable_image()->set_format(image::v1::IMAGE_FORMAT_JPEG); },
       "image.format is 1; the data is PNG"},
      {"too_long_strip", [](EditRequest& r) { SetPhoto(r, Photo(2000, 2)); }, "image"},
      {"instruction_over_4_kib", [](EditRequest& r) { Params(r).set_instruction(std::string(4097, 'a')); },
       "instruction is 4097 bytes; wants at most 4096"},
      {"instruction_nul", [](EditRequest& r) { Params(r).set_instruction(std::string("a\0b", 3)); },
       "instruction holds a NUL byte"},
      {"negative_too_long", [](EditRequest& r) { Params(r).set_negative(std::string(5000, 'a')); },
       "negative is 5000 bytes"},
      {"steps_0", [](EditRequest& r) { Params(r).set_steps(0); }, "steps is 0; wants 1..1000"},
      {"steps_negative", [](EditRequest& r) { Params(r).set_steps(-1); }, "steps is -1; wants 1..1000"},
      {"steps_billion", [](EditRequest& r) { Params(r).set_steps(1'000'000'000); },
       "steps is 1000000000; wants 1..1000"},
      {"resolution_odd", [](EditRequest& r) { Params(r).set_resolution(100); }, "resolution is 100; wants"},
      {"resolution_huge", [](EditRequest& r) { Params(r).set_resolution(1 << 30); },
       "resolution is 1073741824"},
      {"seed_negative", [](EditRequest& r) { Params(r).set_seed(-1); }, "seed is -1; wants 0..4294967295"},
      {"seed_over", [](EditRequest& r) { Params(r).set_seed(int64_t{1} << 32); }, "seed is 4294967296"},
      {"cfg_text_nan", [](EditRequest& r) { Params(r).set_cfg_text(std::nan("")); }, "cfg_text is nan"},
      {"cfg_image_infinite",
       [](EditRequest& r) { Params(r).set_cfg_image(std::numeric_limits<double>::infinity()); },
       "cfg_image is inf"},
      {"cfg_negative", [](EditRequest& r) { Params(r).set_cfg_text(-2); }, "cfg_text is -2"},
      {"count_0", [](EditRequest& r) { Params(r).set_count(0); }, "count is 0; wants 1..8"},
      {"count_9", [](EditRequest& r) { Params(r).set_count(9); }, "count is 9; wants 1..8"},
      {"sampler_unknown", [](EditRequest& r) { Params(r).set_sampler(static_cast<edit::v1::Sampler>(99)); },
       "sampler is 99"},
      {"schedule_unknown",
       [](EditRequest& r) { Params(r).set_schedule(static_cast<edit::v1::SigmaSchedule>(99)); },
       "schedule is 99"},
      {"quality_0", [](EditRequest& r) { r.mutable_output()->set_quality(0); },
       "output.quality is 0; wants 1..100"},
      {"lossless_png", [](EditRequest& r) { r.mutable_output()->set_lossless(true); }, "output.lossless"},
      {"request_id_bad", [](EditRequest& r) { r.set_request_id("a b\n"); },
       "request_id of 4 bytes is no good name"},
      {"request_id_long", [](EditRequest& r) { r.set_request_id(std::string(129, 'a')); },
       "request_id of 129 bytes"},
      {"model_unknown", [](EditRequest& r) { r.set_model("gpt"); }, "model is \"gpt\"; wants one of first",
       absl::StatusCode::kNotFound},
  };
}

// One server for all: whatever came before, it lives and answers.
class BadInputTest : public ServerTest, public ::testing::WithParamInterface<BadCase> {};

TEST_P(BadInputTest, IsRefusedByUnaryAndStream) {
  Start();
  EditRequest request = GoodRequest();
  GetParam().spoil(request);
  const absl::Status status = Edit(request);
  EXPECT_EQ(status.code(), GetParam().code) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr(GetParam().message));

  EditStream stream(*stub_, request);
  EXPECT_EQ(stream.Finish().code(), GetParam().code);

  EXPECT_TRUE(Edit(GoodRequest()).ok());
  EXPECT_TRUE(AwaitIdle());
  EXPECT_EQ(Metric("ip2p_edit_in_flight"), 0);
  EXPECT_EQ(Metric("ip2p_edit_queue_depth"), 0);
}

INSTANTIATE_TEST_SUITE_P(All, BadInputTest, ::testing::ValuesIn(BadCases()),
                         [](const auto& bad) { return std::string(bad.param.name); });

class FaultListTest : public ServerTest {};

TEST_F(FaultListTest, AllFaultsAreListedTogether) {
  Start();
  EditRequest request = GoodRequest();
  Params(request).set_steps(0);
  Params(request).set_seed(-5);
  request.mutable_output()->set_quality(101);
  const std::string message(Edit(request).message());
  for (const char* part : {"steps is 0", "seed is -5", "output.quality is 101"}) {
    EXPECT_THAT(message, HasSubstr(part));
  }
}

TEST_F(FaultListTest, PreviewEveryHasALimitToo) {
  Start();
  EditStream stream(*stub_, GoodRequest(), -1);
  const absl::Status status = stream.Finish();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("preview_every is -1"));
}

TEST_F(FaultListTest, AModelsNameIsShownHarmlessly) {
  Start();
  EditRequest request = GoodRequest();
  request.set_model("evil\n\x1b[31m" + std::string(1000, 'x'));
  const std::string message(Edit(request).message());
  EXPECT_LT(message.size(), 300u);
  EXPECT_EQ(message.find('\n'), std::string::npos);
  EXPECT_EQ(message.find('\x1b'), std::string::npos);
}

// Protobuf complains about such text when it writes it, but writes it.
TEST_F(FaultListTest, TextThatIsNoUtf8IsRefused) {
  Start();
  EditRequest request = GoodRequest();
  Params(request).set_instruction("Q\xFFQ");
  const absl::Status status = Edit(request);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("instruction, negative, model, request_id) is not UTF-8"));
  EditStream stream(*stub_, request);
  EXPECT_EQ(stream.Finish().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(Edit(GoodRequest()).ok());
}

}  // namespace
}  // namespace ip2p::edit_server
