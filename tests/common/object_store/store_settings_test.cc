#include "common/object_store/store_settings.h"

#include <map>

#include "common/object_store/s3_request.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/fakes/temp_folder.h"

namespace ip2p {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

absl::StatusOr<StoreSettings> From(std::map<std::string, std::string> variables) {
  return StoreSettingsFrom([&variables](const char* name) -> const char* {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  });
}

TEST(StoreSettingsTest, NothingIsAwsWithoutKeys) {
  const auto settings = From({});
  ASSERT_TRUE(settings.ok()) << settings.status();
  EXPECT_EQ(settings->endpoint, "");
  EXPECT_EQ(settings->region, "us-east-1");
  EXPECT_TRUE(settings->keys.empty());
}

TEST(StoreSettingsTest, TheNarrowerVariableWins) {
  const auto settings = From({{"AWS_ENDPOINT_URL", "http://a"},
                              {"AWS_ENDPOINT_URL_S3", "http://b:9000/"},
                              {"AWS_DEFAULT_REGION", "x-1"},
                              {"AWS_REGION", "y-2"},
                              {"AWS_ACCESS_KEY_ID", "id"},
                              {"AWS_SECRET_ACCESS_KEY", "secret"},
                              {"AWS_SESSION_TOKEN", "token"},
                              {"AWS_WEB_IDENTITY_TOKEN_FILE", "/x"}});
  ASSERT_TRUE(settings.ok()) << settings.status();
  EXPECT_EQ(settings->endpoint, "http://b:9000");
  EXPECT_EQ(settings->region, "y-2");
  EXPECT_EQ(settings->keys.keys.session_token, "token");
  EXPECT_FALSE(settings->keys.is_role());
}

TEST(StoreSettingsTest, FaultsNameTheVariableAndNoSecret) {
  const auto fault = [](std::map<std::string, std::string> variables) {
    const auto settings = From(std::move(variables));
    EXPECT_TRUE(absl::IsInvalidArgument(settings.status()));
    EXPECT_THAT(std::string(settings.status().message()), Not(HasSubstr("hidden")));
    return std::string(settings.status().message());
  };
  EXPECT_THAT(fault({{"AWS_SECRET_ACCESS_KEY", "hidden"}}), HasSubstr("half of a key"));
  EXPECT_THAT(fault({{"AWS_ENDPOINT_URL", "http://me:hidden@host"}}), HasSubstr("AWS_ENDPOINT_URL"));
  EXPECT_THAT(fault({{"AWS_ENDPOINT_URL_S3", "minio:9000"}}), HasSubstr("wants http://HOST:PORT"));
  EXPECT_THAT(fault({{"AWS_REGION", "a b"}}), HasSubstr("AWS_REGION"));
  EXPECT_THAT(fault({{"AWS_WEB_IDENTITY_TOKEN_FILE", "/hidden"}}), HasSubstr("AWS_ROLE_ARN"));
}

TEST(StoreSettingsTest, ReadsTheProfileThatIsNamed) {
  const TempFolder folder;
  const std::string credentials =
      folder.Write("credentials",
                   "[default]\naws_access_key_id=d\naws_secret_access_key=e\n# no\n[ pairs ]\n"
                   "AWS_Access_Key_Id = p\naws_secret_access_key = q\ns3 =\n  region = no\n");
  const std::string config =
      folder.Write("config", "[profile pairs]\nregion = eu-west-1\n[default]\nregion=z-1\n");
  std::map<std::string, std::string> variables = {{"AWS_SHARED_CREDENTIALS_FILE", credentials},
                                                  {"AWS_CONFIG_FILE", config}};
  EXPECT_EQ(From(variables)->keys.keys.access_key, "d");
  EXPECT_EQ(From(variables)->region, "z-1");
  variables["AWS_PROFILE"] = "pairs";
  EXPECT_EQ(From(variables)->keys.keys.secret_key, "q");
  EXPECT_EQ(From(variables)->region, "eu-west-1");
  variables["AWS_PROFILE"] = "nobody";
  EXPECT_TRUE(From(variables)->keys.empty());
  variables["AWS_SHARED_CREDENTIALS_FILE"] = folder.In("absent");
  EXPECT_TRUE(absl::IsNotFound(From(variables).status()));
}

TEST(StoreSettingsTest, AddressesABucketAsStoresWantIt) {
  EXPECT_EQ(BucketAddress({.region = "eu-west-1"}, "data"), "https://data.s3.eu-west-1.amazonaws.com");
  EXPECT_EQ(BucketAddress({.region = "eu-west-1"}, "da.ta"), "https://s3.eu-west-1.amazonaws.com/da.ta");
  EXPECT_EQ(BucketAddress({.region = "cn-north-1"}, "data"), "https://data.s3.cn-north-1.amazonaws.com.cn");
  EXPECT_EQ(BucketAddress({.endpoint = "http://minio:9000"}, "data"), "http://minio:9000/data");
}

TEST(StoreSettingsTest, RequestsKeepToWhatIsSignedRight) {
  S3Request request{.method = "PUT", .url = {"data", "a b/../é"}, .body = "x"};
  request.query = {{"uploadId", "i/d="}, {"partNumber", "1"}};
  const HttpRequest http =
      ToHttpRequest(request, {.endpoint = "http://s"}, {.access_key = "k", .session_token = "t"});
  EXPECT_EQ(http.url, "http://s/data/a%20b/../%C3%A9?partNumber=1&uploadId=i%2Fd%3D");
  ASSERT_EQ(http.headers.size(), 2u);
  EXPECT_EQ(http.headers[0].name, "x-amz-content-sha256");
  EXPECT_EQ(http.headers[1].name, "x-amz-security-token");
  S3Request list{.url = {"data", ""}, .query = {{"list-type", "2"}}};
  EXPECT_EQ(ToHttpRequest(list, {.endpoint = "http://s"}, {}).url, "http://s/data?list-type=2");
  EXPECT_EQ(ToHttpRequest(list, {}, {}).url, "https://data.s3.us-east-1.amazonaws.com/?list-type=2");
}

}  // namespace
}  // namespace ip2p
