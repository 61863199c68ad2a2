// One caption at a time, and what the server says of itself.
#include "absl/strings/match.h"
#include "gmock/gmock.h"
#include "grpcpp/generic/generic_stub.h"
#include "tests/services/prompt_generator/server_fixture.h"

namespace ip2p::prompt_generator {
namespace {

using PromptTest = ServerTest;
using ::testing::HasSubstr;

TEST_F(PromptTest, MakesAPrompt) {
  Start();
  GeneratePromptRequest request;
  request.mutable_caption()->set_text("a red circle on grass");
  request.mutable_caption()->set_url("https://example.com/1");
  request.mutable_params()->set_seed(5);
  const auto outcome = Try(request);
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  EXPECT_EQ(outcome->prompt().caption(), "a red circle on grass");
  EXPECT_EQ(outcome->prompt().url(), "https://example.com/1");
  EXPECT_NE(outcome->prompt().output(), outcome->prompt().caption());
  EXPECT_TRUE(shapes::ParseCaption(outcome->prompt().output()).ok());
  EXPECT_EQ(outcome->model(), "shapes");
  EXPECT_EQ(Try(request)->prompt().edit(), outcome->prompt().edit());
  bool differs = false;
  for (uint64_t seed = 0; seed < 5; ++seed) {
    differs = differs || Try("a red circle on grass", seed)->prompt().edit() != outcome->prompt().edit();
  }
  EXPECT_TRUE(differs);
}

TEST_F(PromptTest, ARejectedCaptionIsAnAnswer) {
  Start();
  EXPECT_EQ(Try("my dog")->rejected(), prompt::v1::REJECT_REASON_REFUSED);
}

TEST_F(PromptTest, SaysEverythingThatIsWrong) {
  Start();
  GeneratePromptRequest request;
  request.mutable_caption()->set_text(std::string("a\0b", 3));
  request.mutable_params()->set_temperature(3);
  request.mutable_params()->set_max_tries(0);
  request.mutable_params()->set_max_tokens(-1);
  request.mutable_params()->set_frequency_penalty(-2.5);
  request.mutable_params()->set_model(std::string(300, 'm'));
  request.mutable_params()->set_provider(static_cast<prompt::v1::ProviderKind>(9));
  EXPECT_EQ(Try(request).status(), absl::InvalidArgumentError("params.provider is 9; wants 0..4\n"
                                                              "caption holds a NUL; wants none\n"
                                                              "temperature is 3; wants 0..2\n"
                                                              "max_tokens is -1; wants 1..4096\n"
                                                              "frequency_penalty is -2.5; wants -2..2\n"
                                                              "max_tries is 0; wants 1..10\n"
                                                              "model is 300 bytes; wants at most 256"));
  EXPECT_EQ(Try("").status().message(), "caption is empty; wants a text");
  EXPECT_TRUE(Try("a red circle").ok());  // the next good request is answered as before
}

TEST_F(PromptTest, AnUnconfiguredProviderIsAWrongState) {
  Start();
  GeneratePromptRequest request;
  request.mutable_caption()->set_text("a red circle");
  request.mutable_params()->set_provider(prompt::v1::PROVIDER_KIND_OPENAI_CHAT);
  EXPECT_TRUE(absl::IsFailedPrecondition(Try(request).status()));
  request.mutable_params()->set_provider(prompt::v1::PROVIDER_KIND_OPENAI_BATCH);
  EXPECT_TRUE(absl::IsInvalidArgument(Try(request).status()));
}

TEST_F(PromptTest, BytesThatAreNoRequest) {
  Start();
  grpc::GenericStub raw(channel_);
  grpc::CompletionQueue queue;
  for (const std::string& bytes :
       {std::string("\x0A\xFF\xFF\xFF\xFF\x0F"), std::string("\x0A\x04\x0A\x02\xC3\x28")}) {
    grpc::ClientContext context;
    const grpc::Slice slice(bytes);
    const auto call = raw.PrepareUnaryCall(&context, "/ip2p.prompt.v1.PromptService/GeneratePrompt",
                                           grpc::ByteBuffer(&slice, 1), &queue);
    call->StartCall();
    grpc::ByteBuffer answer;
    grpc::Status status;
    call->Finish(&answer, &status, nullptr);
    void* tag = nullptr;
    bool ok = false;
    ASSERT_TRUE(queue.Next(&tag, &ok));
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
    EXPECT_THAT(status.error_message(), HasSubstr("can't be parsed"));
  }
}

TEST_F(PromptTest, Capabilities) {
  Start();
  grpc::ClientContext context;
  prompt::v1::GetCapabilitiesResponse response;
  ASSERT_TRUE(stub_->GetCapabilities(&context, {}, &response).ok());
  ASSERT_EQ(response.providers_size(), 1);
  EXPECT_EQ(response.providers(0).kind(), prompt::v1::PROVIDER_KIND_SHAPES);
  EXPECT_EQ(response.max_captions_per_request(), 10000);
}

TEST_F(PromptTest, TokensGuardTheCalls) {
  ServerConfig config = DefaultConfig();
  config.token_file = folder_.Write(
      "tokens.json", R"({"tokens":[{"name":"web","token":"t0ps3cret-t0ps3cret","roles":["edit"]}]})");
  Start(config);
  EXPECT_TRUE(absl::IsUnauthenticated(Try("a red circle").status()));
  GeneratePromptsRequest request;
  request.mutable_captions()->add_captions()->set_text("a red circle");
  EXPECT_TRUE(absl::IsUnauthenticated(Run(request).status));
  grpc::ClientContext context;
  context.AddMetadata("authorization", "Bearer t0ps3cret-t0ps3cret");
  GeneratePromptRequest good;
  good.mutable_caption()->set_text("a red circle");
  GeneratePromptResponse response;
  EXPECT_TRUE(stub_->GeneratePrompt(&context, good, &response).ok());
}

TEST(ConfigTest, ListsAllFaults) {
  const auto config = LoadServerConfig(
      {"--provider", "gpt", "--max-tries", "11", "--tls-cert-file", "x", "--log-level", "loud"},
      [](const char*) { return nullptr; });
  const std::string message(config.status().message());
  EXPECT_THAT(message,
              HasSubstr("provider is \"gpt\"; wants openai-chat, openai-completion, openai-batch or shapes"));
  EXPECT_THAT(message, HasSubstr("max_tries"));
  EXPECT_THAT(message, HasSubstr("TLS is half configured"));
  EXPECT_THAT(message, HasSubstr("log_level is \"loud\""));
}

TEST(ConfigTest, MoneyIsUnlimitedUnlessSaid) {
  const auto load = [](std::vector<std::string> args) {
    return **LoadServerConfig(args, [](const char*) { return nullptr; });
  };
  EXPECT_FALSE(load({}).max_micro_usd.has_value());
  EXPECT_EQ(load({"--max-usd", "0"}).max_micro_usd, 0);
  EXPECT_EQ(load({"--max-usd", "1.5"}).max_micro_usd, 1'500'000);
  const auto odd = LoadServerConfig({"--max-usd", "-0.5"}, [](const char*) { return nullptr; });
  EXPECT_THAT(std::string(odd.status().message()), HasSubstr("max_usd is -0.5; wants 0 or more"));
  EXPECT_TRUE(load({}).params.moderation);
  EXPECT_FALSE(load({"--no-moderation"}).params.moderation);
}

}  // namespace
}  // namespace ip2p::prompt_generator
