// The server's settings become a config, or a list of faults.
#include "services/edit_server/config.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ip2p::edit_server {
namespace {

using ::testing::HasSubstr;

absl::StatusOr<std::optional<ServerConfig>> Load(const std::vector<std::string>& args) {
  return LoadServerConfig(args, [](const char*) { return nullptr; });
}

TEST(ConfigTest, OneCheckpointIsTheDefaultModel) {
  const auto config = Load({"--ckpt", "a.ckpt", "--vae-ckpt", "vae.ckpt", "--precision", "bf16"});
  ASSERT_TRUE(config.ok()) << config.status();
  ASSERT_EQ((*config)->models.size(), 1u);
  EXPECT_EQ((*config)->models[0].name, "default");
  EXPECT_EQ((*config)->models[0].path, "a.ckpt");
  EXPECT_EQ((*config)->models[0].vae_path, "vae.ckpt");
  EXPECT_EQ((*config)->precision, Precision::kBFloat16);
  EXPECT_EQ((*config)->listen, "127.0.0.1:50051");
}

TEST(ConfigTest, SeveralModelsByName) {
  const auto config = Load({"--model", "a=x/y=z", "--model", "b=w", "--metrics-listen", "off"});
  ASSERT_TRUE(config.ok()) << config.status();
  ASSERT_EQ((*config)->models.size(), 2u);
  EXPECT_EQ((*config)->models[0].path, "x/y=z");
  EXPECT_EQ((*config)->models[1].name, "b");
  EXPECT_EQ((*config)->metrics_listen, "");
}

TEST(ConfigTest, FaultsAreListedTogether) {
  const auto config = Load({"--model", "a b=x", "--model=c=1", "--model=c=2", "--queue-limit", "0",
                            "--precision", "fp8", "--tls-cert-file", "x", "--log-level", "loud"});
  ASSERT_EQ(config.status().code(), absl::StatusCode::kInvalidArgument);
  const std::string message(config.status().message());
  for (const char* part : {"queue_limit", "model is \"a b=x\"", "model name \"c\" is given twice",
                           "precision is \"fp8\"", "TLS is half configured", "log_level is \"loud\""}) {
    EXPECT_THAT(message, HasSubstr(part));
  }
}

TEST(ConfigTest, WhereNoModelIsNamedItIsTheMiniature) {
  const auto config = Load({});
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_TRUE((*config)->miniature);
  ASSERT_EQ((*config)->models.size(), 1u);
  EXPECT_EQ((*config)->models[0].name, "miniature");
  EXPECT_THAT((*config)->models[0].path, HasSubstr("models/shapes/edit"));
  EXPECT_FALSE((*Load({"--ckpt", "x"}))->miniature);
}

TEST(ConfigTest, HelpEndsTheProgram) {
  const auto config = Load({"--help"});
  ASSERT_TRUE(config.ok());
  EXPECT_FALSE(config->has_value());
}

}  // namespace
}  // namespace ip2p::edit_server
