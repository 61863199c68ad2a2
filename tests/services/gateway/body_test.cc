#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "services/gateway/edit_form_proto.h"
#include "services/gateway/json_body.h"
#include "services/gateway/multipart.h"

namespace ip2p::gateway {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr char kForm[] = "multipart/form-data; boundary=xyz";

std::string Message(const absl::Status& status) { return std::string(status.message()); }

TEST(ParseBodyTest, DepthAndDoubleKeysAreBounded) {
  const std::string deep = "{\"a\":" + std::string(100'000, '[') + std::string(100'000, ']') + "}";
  EXPECT_THAT(Message(ParseBody(deep).status()), HasSubstr("nests too deeply"));
  EXPECT_THAT(Message(ParseBody(R"({"steps": 1, "steps": 2})").status()),
              HasSubstr("\"steps\" is given twice"));
  EXPECT_TRUE(ParseBody(R"({"a": {"x": 1}, "b": {"x": 1}})").ok());
  EXPECT_TRUE(ParseBody("").ok());
}

TEST(ParseBodyTest, SaysWhatIsWanted) {
  EXPECT_EQ(Message(ParseBody("[1]").status()), "the body is an array; wants an object");
  EXPECT_EQ(Message(ParseBody("{").status()), "the body is no JSON; wants an object");
  EXPECT_EQ(Message(ParseBody("{\"a\": \"\xff\"}").status()), "the body is no JSON; wants an object");
}

TEST(QueryTest, NumbersAreJudgedByName) {
  WebRequest request;
  request.query = {{"limit", "7"}, {"offset", "x"}, {"share", "nan"}};
  EXPECT_EQ(*QueryNumber(request, "limit", 1, 0, 10), 7);
  EXPECT_EQ(*QueryNumber(request, "other", 3, 0, 10), 3);
  EXPECT_EQ(Message(QueryNumber(request, "limit", 1, 0, 5).status()),
            "limit is \"7\"; wants a whole number in 0..5");
  EXPECT_FALSE(QueryNumber(request, "offset", 1, 0, 5).ok());
  EXPECT_FALSE(QueryDecimal(request, "share", 0, -1, 1).ok());
}

TEST(MultipartTest, ReadsParts) {
  const std::string body =
      "--xyz\r\nContent-Disposition: form-data; name=\"image\"; filename=\"a.png\"\r\n"
      "Content-Type: image/png\r\n\r\nhello\r\n"
      "--xyz\r\nContent-Disposition: form-data; name=steps\r\n\r\n7\r\n--xyz--\r\n";
  const auto parts = ParseMultipart(kForm, body);
  ASSERT_TRUE(parts.ok()) << parts.status();
  ASSERT_THAT(*parts, SizeIs(2));
  EXPECT_TRUE((*parts)[0].is_file);
  EXPECT_EQ((*parts)[0].bytes, "hello");
  EXPECT_EQ((*parts)[1].name, "steps");
  EXPECT_EQ((*parts)[1].bytes, "7");
}

TEST(MultipartTest, BytesOfAFileMayBeAnything) {
  std::string file = "\r\n--xy";
  file += '\0';
  file += "\xff\r\n";
  const std::string body =
      absl::StrCat("--xyz\r\nContent-Disposition: form-data; name=\"image\"; filename=\"a\\\"b\"\r\n\r\n",
                   file, "\r\n--xyz--");
  const auto parts = ParseMultipart(kForm, body);
  ASSERT_TRUE(parts.ok()) << parts.status();
  EXPECT_EQ((*parts)[0].bytes, file);
}

TEST(MultipartTest, BombsAndTornFormsAreRefused) {
  std::string many;
  for (int i = 0; i < 100; ++i) {
    absl::StrAppend(&many, "--xyz\r\nContent-Disposition: form-data; name=\"p", i, "\"\r\n\r\n\r\n");
  }
  many += "--xyz--";
  const std::string head = "--xyz\r\nContent-Disposition: form-data; name=\"a\"\r\n";
  for (const std::string& body : {many, std::string(), std::string("--xyz"), head, head + "\r\n1",
                                  head + "X: " + std::string(5000, 'x') + "\r\n\r\n1\r\n--xyz--",
                                  head + "Content-Type: multipart/mixed; boundary=b\r\n\r\n1\r\n--xyz--",
                                  head + "\r\n1\r\n" + head + "\r\n2\r\n--xyz--",
                                  std::string("--xyz\r\nContent-Disposition: form-data\r\n\r\n1\r\n--xyz--"),
                                  std::string("--xyz\r\nbad\r\n\r\n1\r\n--xyz--")}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ParseMultipart(kForm, body).status())) << body.substr(0, 80);
  }
  EXPECT_FALSE(ParseMultipart("multipart/form-data", "--xyz--").ok());
  EXPECT_FALSE(ParseMultipart("multipart/form-data; boundary=" + std::string(71, 'x'), "").ok());
}

WebRequest Json(const std::string& body) {
  WebRequest request;
  request.headers = {{"Content-Type", "application/json"}};
  request.body = body;
  return request;
}

TEST(EditFormTest, JsonAndFormGiveTheSameRequest) {
  const auto json = EditFromRequest(Json(
      R"({"image": "aGVsbG8=", "instruction": "make it blue", "steps": 7, "cfg_text": 3.5, "sampler": "heun",
          "model": "m", "preview_every": 2, "format": "webp", "lossless": true, "request_id": "r",
          "mask": "d2hpdGU=", "mask_feather": 4})"));
  ASSERT_TRUE(json.ok()) << json.status();
  WebRequest form;
  form.headers = {{"content-type", kForm}};
  const auto part = [](const std::string& name, const std::string& value) {
    return absl::StrCat("--xyz\r\nContent-Disposition: form-data; name=\"", name, "\"\r\n\r\n", value,
                        "\r\n");
  };
  form.body =
      absl::StrCat(part("image", "hello"), part("instruction", "make it blue"), part("steps", "7"),
                   part("cfg_text", "3.5"), part("sampler", "heun"), part("model", "m"),
                   part("preview_every", "2"), part("format", "webp"), part("lossless", "true"),
                   part("request_id", "r"), part("mask", "white"), part("mask_feather", "4"), "--xyz--");
  const auto read = EditFromRequest(form);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->SerializeAsString(), json->SerializeAsString());
  EXPECT_EQ(json->edit().image().data(), "hello");
  EXPECT_EQ(json->edit().mask().data(), "white");
  EXPECT_EQ(json->edit().params().mask_feather(), 4);
  EXPECT_EQ(json->edit().params().sampler(), edit::v1::SAMPLER_HEUN);
}

TEST(EditFormTest, FaultsNameTheField) {
  const auto fault = [](const std::string& body) { return Message(EditFromRequest(Json(body)).status()); };
  EXPECT_THAT(fault("{}"), HasSubstr("image is missing"));
  EXPECT_THAT(fault(R"({"image": "aGk=", "mask": "%%"})"), HasSubstr("mask is \"%%\"; wants base64"));
  EXPECT_THAT(fault(R"({"image": "aGk=", "auto_mask": "most"})"),
              HasSubstr("auto_mask is \"most\"; wants a number"));
  EXPECT_THAT(fault(R"({"image": "%%"})"), HasSubstr("image is \"%%\"; wants base64"));
  EXPECT_THAT(fault(R"({"image": "aGk=", "steps": "many"})"),
              HasSubstr("steps is \"many\"; wants a whole number"));
  EXPECT_THAT(fault(R"({"image": "aGk=", "steps": 1.5})"), HasSubstr("steps is 1.5"));
  EXPECT_THAT(fault(R"({"image": "aGk=", "sampler": "best"})"), HasSubstr("wants euler_a, euler, heun"));
  EXPECT_THAT(fault(R"({"image": "aGk=", "stepz": 1})"), HasSubstr("\"stepz\" is no field"));
  EXPECT_THAT(fault(R"({"image": "aGk=", "format": 3})"), HasSubstr("format is 3"));
}

TEST(SweepFormTest, ReadsListsAndBoundsTheGrid) {
  const auto sweep =
      SweepFromRequest(Json(R"({"image": "aGk=", "cfg_text": [3, 5.5], "cfg_image": "1, 1.5 ,2"})"));
  ASSERT_TRUE(sweep.ok()) << sweep.status();
  EXPECT_THAT(sweep->cfg_text, ElementsAre(3, 5.5));
  EXPECT_THAT(sweep->cfg_image, ElementsAre(1, 1.5, 2));
  const auto fault = [](const std::string& lists) {
    return Message(SweepFromRequest(Json(absl::StrCat(R"({"image": "aGk=", )", lists, "}"))).status());
  };
  EXPECT_THAT(fault(R"("cfg_text": [1])"), HasSubstr("cfg_image is missing"));
  EXPECT_THAT(fault(R"("cfg_text": [], "cfg_image": [1])"), HasSubstr("cfg_text is"));
  EXPECT_THAT(fault(R"("cfg_text": [101], "cfg_image": [1])"), HasSubstr("a list with 101"));
  EXPECT_THAT(fault(R"("cfg_text": "1,x", "cfg_image": [1])"), HasSubstr("cfg_text is \"1,x\""));
  EXPECT_THAT(fault(R"("cfg_text": [1,2,3,4,5,6,7], "cfg_image": [1,2,3,4,5,6])"), HasSubstr("42 cells"));
  EXPECT_THAT(fault(R"("cfg_text": [1], "cfg_image": [1], "count": 2)"), HasSubstr("count is 2"));
}

}  // namespace
}  // namespace ip2p::gateway
