#include "common/object_store/s3_xml.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ip2p {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::string_view kPage = R"(<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>data</Name><EncodingType>url</EncodingType>
<IsTruncated>true</IsTruncated><NextContinuationToken>t/+=</NextContinuationToken>
<Contents><Key>a+b%2B%0A</Key><Size>7</Size><ETag>&quot;e-1&quot;</ETag><StorageClass>X</StorageClass></Contents>
<Contents><Key>c</Key><Size>0</Size><ETag>"f"</ETag></Contents></ListBucketResult>)";

TEST(S3XmlTest, ReadsAPage) {
  const auto page = ParseListPage(kPage);
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_THAT(page->objects,
              ElementsAre(ListedObject{"a b+\n", 7, "\"e-1\""}, ListedObject{"c", 0, "\"f\""}));
  EXPECT_EQ(page->next, "t/+=");
  const auto plain = ParseListPage(
      "<ListBucketResult><Contents><Key>a+%41</Key><Size>1</Size></Contents></ListBucketResult>");
  ASSERT_TRUE(plain.ok());
  EXPECT_EQ(plain->objects[0].key, "a+%41");
  EXPECT_EQ(plain->next, "");
}

TEST(S3XmlTest, ReadsFolders) {
  const auto page = ParseListPage(R"(<ListBucketResult><EncodingType>url</EncodingType>
<CommonPrefixes><Prefix>a+b/</Prefix></CommonPrefixes><CommonPrefixes><Prefix>c/</Prefix></CommonPrefixes>
</ListBucketResult>)");
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_THAT(page->folders, ElementsAre("a b/", "c/"));
  EXPECT_TRUE(page->objects.empty());
}

TEST(S3XmlTest, RefusesWhatIsNoWholeDocument) {
  const std::string page(kPage);
  std::string bomb =
      "<!DOCTYPE x [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]><ListBucketResult>&b;</ListBucketResult>";
  for (const std::string& text :
       {std::string(), std::string("<html></html>"), page.substr(0, page.size() / 2), std::string("{}"),
        std::string("<ListBucketResult><Contents><Key>a</Key></Contents></ListBucketResult>"),
        std::string("<ListBucketResult><Contents><Key>a</Key><Size>-1</Size></Contents></ListBucketResult>"),
        std::string("<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>")}) {
    EXPECT_TRUE(absl::IsUnavailable(ParseListPage(text).status())) << text;
  }
  const auto harmless = ParseListPage(bomb);
  EXPECT_TRUE(!harmless.ok() || harmless->objects.empty());
  std::string deep;
  for (int i = 0; i < 200'000; ++i) deep += "<a>";
  EXPECT_FALSE(ParseListPage(deep).ok());
}

TEST(S3XmlTest, ReadsErrors) {
  const StoreError error = ParseStoreError(
      "<Error><Code>AuthorizationHeaderMalformed</Code><Message>no &amp; "
      "no</Message><Region>eu-west-1</Region></Error>");
  EXPECT_EQ(error.code, "AuthorizationHeaderMalformed");
  EXPECT_EQ(error.message, "no & no");
  EXPECT_EQ(error.region, "eu-west-1");
  EXPECT_EQ(ParseStoreError("<ErrorResponse><Error><Code>ExpiredToken</Code></Error></ErrorResponse>").code,
            "ExpiredToken");
  EXPECT_EQ(ParseStoreError("<html>502</html>").code, "");
  EXPECT_EQ(ParseStoreError("").code, "");
}

TEST(S3XmlTest, WritesTheEndOfAnUpload) {
  EXPECT_EQ(CompleteUploadXml({{1, "\"a&b\"", "c2hh"}}),
            "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Part><PartNumber>1"
            "</PartNumber><ETag>&quot;a&amp;b&quot;</ETag><ChecksumSHA256>c2hh</ChecksumSHA256></Part>"
            "</CompleteMultipartUpload>");
}

TEST(S3XmlTest, ReadsUploadsAndKeys) {
  EXPECT_EQ(
      *ParseUploadId("<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"),
      "u");
  EXPECT_FALSE(ParseUploadId("<InitiateMultipartUploadResult/>").ok());
  const std::string head =
      "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>"
      "<AccessKeyId>a</AccessKeyId><SecretAccessKey>b</SecretAccessKey><SessionToken>c</SessionToken>";
  const std::string tail =
      "</Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>";
  const auto keys = ParseRoleKeys(head + "<Expiration>2030-01-02T03:04:05Z</Expiration>" + tail);
  ASSERT_TRUE(keys.ok()) << keys.status();
  EXPECT_EQ(keys->session_token, "c");
  EXPECT_EQ(absl::FormatTime(keys->expires, absl::UTCTimeZone()), "2030-01-02T03:04:05+00:00");
  EXPECT_THAT(std::string(ParseRoleKeys(head + tail).status().message()), HasSubstr("expiration"));
}

}  // namespace
}  // namespace ip2p
