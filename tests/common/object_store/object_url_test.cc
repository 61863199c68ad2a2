#include "common/object_store/object_url.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ip2p {
namespace {

using ::testing::HasSubstr;

TEST(ObjectUrlTest, TakesBucketAndKeyAsTheyStand) {
  const auto url = ParseObjectUrl("s3://data/a b/%41+ü?x#y");
  ASSERT_TRUE(url.ok()) << url.status();
  EXPECT_EQ(*url, (ObjectUrl{"data", "a b/%41+ü?x#y"}));
  EXPECT_EQ(url->text(), "s3://data/a b/%41+ü?x#y");
  EXPECT_EQ(ParseObjectUrl("s3://data")->key, "");
  EXPECT_EQ(ParseObjectUrl("s3://data/")->key, "");
  EXPECT_EQ(ParseObjectUrl("s3://data//x")->key, "/x");
}

TEST(ObjectUrlTest, RefusesWhatIsNone) {
  const std::string too_long = "s3://data/" + std::string(1025, 'k');
  for (const std::string& text :
       {std::string("data/x"), std::string("http://data/x"), std::string("s3:/data"), std::string("s3://"),
        std::string("s3:///x"), std::string("s3://ab/x"), std::string("s3://a b c/x"),
        std::string("s3://-data/x"), std::string("s3://user:secret@host/x"), std::string("s3://data/\xff"),
        std::string("s3://data/a\0b", 13), too_long}) {
    const auto url = ParseObjectUrl(text);
    EXPECT_TRUE(absl::IsInvalidArgument(url.status())) << text;
    EXPECT_THAT(std::string(url.status().message()), HasSubstr("wants "));
  }
}

TEST(ObjectUrlTest, NamesWhatIsBelow) {
  EXPECT_EQ((ObjectUrl{"b", "models"}).Child("x").key, "models/x");
  EXPECT_EQ((ObjectUrl{"b", "models/"}).Child("x").key, "models/x");
  EXPECT_EQ((ObjectUrl{"b", ""}).Child("x").key, "x");
  EXPECT_EQ((ObjectUrl{"b", ""}).prefix(), "");
  EXPECT_EQ((ObjectUrl{"b", "a/models/"}).base_name(), "models");
  EXPECT_EQ((ObjectUrl{"b", "models"}).base_name(), "models");
  EXPECT_EQ((ObjectUrl{"bucket", ""}).base_name(), "bucket");
}

TEST(ObjectUrlTest, EscapesAsSignaturesWantIt) {
  EXPECT_EQ(UriEncode("a b+c%d/é~-._*'()!", true), "a%20b%2Bc%25d/%C3%A9~-._%2A%27%28%29%21");
  EXPECT_EQ(UriEncode("a/b", false), "a%2Fb");
  EXPECT_EQ(UriDecode("a+b%2Bc%2fd%"), "a b+c/d%");
  EXPECT_EQ(UriDecode("%zz%4"), "%zz%4");
}

TEST(ObjectUrlTest, KnowsWhatCanBeAFile) {
  for (const char* name : {"a", "unet", "..x", ".hidden", "a b"}) EXPECT_TRUE(IsFileName(name)) << name;
  for (const char* name : {"", ".", "..", "a/b", ".tmp-x"}) EXPECT_FALSE(IsFileName(name)) << name;
  EXPECT_FALSE(IsFileName(std::string(256, 'x')));
  EXPECT_FALSE(IsFileName(std::string("a\0", 2)));
}

}  // namespace
}  // namespace ip2p
