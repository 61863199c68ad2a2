// Settings of the server.
#include "services/pair_generator/config.h"

#include "gmock/gmock.h"

namespace ip2p::pair_generator {
namespace {

using ::testing::HasSubstr;

absl::StatusOr<std::optional<ServerConfig>> Load(const std::vector<std::string>& args) {
  return LoadServerConfig(args, [](const char* name) -> const char* {
    return std::string(name) == "IP2P_CLIP" ? "clip-folder" : nullptr;
  });
}

TEST(ConfigTest, ModelsShareTheRest) {
  const auto config =
      Load({"--ckpt", "a", "--model", "other=b", "--vae-ckpt", "v", "--batch", "7", "--precision", "bf16"});
  ASSERT_TRUE(config.ok()) << config.status();
  ASSERT_EQ((*config)->models.size(), 2u);
  EXPECT_EQ((*config)->models[0].name, "default");
  EXPECT_EQ((*config)->models[1].models.checkpoint, "b");
  for (const ModelSpec& spec : (*config)->models) {
    EXPECT_EQ(spec.models.vae_checkpoint, "v");
    EXPECT_EQ(spec.models.clip, "clip-folder");
  }
  EXPECT_EQ((*config)->sampler.batch, 7);
  EXPECT_EQ((*config)->sampler.precision, Precision::kBFloat16);
}

TEST(ConfigTest, FaultsAreListedTogether) {
  const absl::Status status =
      Load({"--model", "no name", "--batch", "0", "--precision", "int8", "--queue-limit", "0"}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  for (const char* fault :
       {"queue_limit", "model is \"no name\"", "batch is \"0\"; wants auto or 1..256", "int8"}) {
    EXPECT_THAT(std::string(status.message()), HasSubstr(fault));
  }
  EXPECT_THAT(std::string(Load({"--ckpt", "a", "--model", "default=b"}).status().message()),
              HasSubstr("\"default\" is given twice"));
}

TEST(ConfigTest, WhereNoModelIsNamedItIsTheMiniatureWithItsClip) {
  const auto config = LoadServerConfig({}, [](const char*) -> const char* { return nullptr; });
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_TRUE((*config)->miniature);
  ASSERT_EQ((*config)->models.size(), 1u);
  EXPECT_EQ((*config)->models[0].name, "miniature");
  EXPECT_THAT((*config)->models[0].models.checkpoint, HasSubstr("models/shapes/text-to-image"));
  EXPECT_THAT((*config)->models[0].models.clip, HasSubstr("models/shapes/clip"));
  EXPECT_EQ((*Load({"--clip", "c"}))->models[0].models.clip, "c");
}

}  // namespace
}  // namespace ip2p::pair_generator
