// Runs: streams, resumption, bounds, the end of the server.
#include <set>
#include <thread>

#include "common/dataset/prompt.h"
#include "gmock/gmock.h"
#include "tests/services/prompt_generator/server_fixture.h"

namespace ip2p::prompt_generator {
namespace {

using RunTest = ServerTest;
using ::testing::HasSubstr;

std::set<int64_t> IndicesOf(const RunEvents& events) {
  std::set<int64_t> indices;
  for (const prompt::v1::Outcome& outcome : events.outcomes) indices.insert(outcome.index());
  return indices;
}

TEST_F(RunTest, CarriedCaptions) {
  Start();
  GeneratePromptsRequest request;
  for (const char* text : {"a red circle", "a red circle", "my dog", ""}) {
    request.mutable_captions()->add_captions()->set_text(text);
  }
  const RunEvents events = Run(request);
  ASSERT_TRUE(events.status.ok()) << events.status;
  std::map<int64_t, int> rejected;
  for (const auto& outcome : events.outcomes) rejected[outcome.index()] = outcome.rejected();
  EXPECT_EQ(rejected, (std::map<int64_t, int>{{0, prompt::v1::REJECT_REASON_UNSPECIFIED},
                                              {1, prompt::v1::REJECT_REASON_DUPLICATE},
                                              {2, prompt::v1::REJECT_REASON_REFUSED},
                                              {3, prompt::v1::REJECT_REASON_BAD_CAPTION}}));
  ASSERT_GE(events.progress.size(), 2u);
  EXPECT_EQ(events.progress.front().total(), 4);
  EXPECT_EQ(events.progress.back().accepted(), 1);
  EXPECT_EQ(events.progress.back().rejected(), 3);
  EXPECT_TRUE(std::filesystem::is_empty(folder_.path()));  // no run name: nothing is kept
}

TEST_F(RunTest, ANamedRunGoesOnAfterItsCallerLeft) {
  Start();
  WriteCaptions("captions.jsonl", 5000);
  GeneratePromptsRequest request;
  request.set_captions_file("captions.jsonl");
  request.set_run_name("a-run");
  const RunEvents first = Run(request, 700);
  EXPECT_TRUE(absl::IsCancelled(first.status));
  // The journal is held until the server has noticed.
  RunEvents second = Run(request);
  while (absl::IsAborted(second.status)) second = Run(request);
  ASSERT_TRUE(second.status.ok()) << second.status;
  const prompt::v1::RunProgress& end = second.progress.back();
  EXPECT_EQ(end.total(), 5000);
  EXPECT_EQ(end.accepted() + end.rejected(), 5000);
  EXPECT_GE(end.resumed(), 700);
  EXPECT_EQ(end.resumed() + static_cast<int64_t>(second.outcomes.size()), 5000);
  std::set<std::string> captions;
  std::istringstream lines(folder_.Read("a-run.jsonl"));
  for (std::string line; std::getline(lines, line);) captions.insert(ParsePromptLine(line)->caption);
  EXPECT_EQ(static_cast<int64_t>(captions.size()), end.accepted());
  const RunEvents third = Run(request);
  EXPECT_TRUE(third.status.ok());
  EXPECT_TRUE(third.outcomes.empty());
}

TEST_F(RunTest, PartitionsTogetherAreTheWhole) {
  Start();
  WriteCaptions("captions.jsonl", 1003);
  std::set<int64_t> all;
  size_t count = 0;
  for (int p = 0; p < 10; ++p) {
    GeneratePromptsRequest request;
    request.set_captions_file("captions.jsonl");
    request.set_n_partitions(10);
    request.set_partition(p);
    const RunEvents events = Run(request);
    ASSERT_TRUE(events.status.ok()) << events.status;
    all.merge(IndicesOf(events));
    count += events.outcomes.size();
  }
  EXPECT_EQ(all.size(), 1003u);
  EXPECT_EQ(count, 1003u);
}

TEST_F(RunTest, SaysWhatIsWrongWithAnOrder) {
  Start();
  GeneratePromptsRequest request;
  request.set_captions_file("../secrets.txt");
  request.set_n_partitions(0);
  request.set_concurrency(5000);
  request.set_max_cost_micro_usd(-1);
  request.set_run_name("A run");
  const std::string message(Run(request).status.message());
  EXPECT_THAT(message, HasSubstr("captions_file is no relative name"));
  EXPECT_THAT(message, HasSubstr("n_partitions is 0; wants 1..1000000"));
  EXPECT_THAT(message, HasSubstr("concurrency is 5000; wants 1..1024"));
  EXPECT_THAT(message, HasSubstr("the budget is -1"));
  EXPECT_THAT(message, HasSubstr("run_name is no name"));

  EXPECT_EQ(Run({}).status.message(), "captions holds 0; wants 1..10000");
  for (const char* name : {"/etc/passwd", "a/../../b.txt", "a/", ""}) {
    request = {};
    request.set_captions_file(name);
    EXPECT_TRUE(absl::IsInvalidArgument(Run(request).status)) << name;
  }
  request.set_captions_file("none.txt");
  const absl::Status missing = Run(request).status;
  EXPECT_TRUE(absl::IsNotFound(missing)) << missing;
  EXPECT_EQ(missing.message().find(folder_.path()), std::string::npos);
}

TEST_F(RunTest, WithoutADataFolderNothingIsNamed) {
  ServerConfig config = DefaultConfig();
  config.data_dir.clear();
  Start(config);
  GeneratePromptsRequest request;
  request.mutable_captions()->add_captions()->set_text("a red circle");
  EXPECT_TRUE(Run(request).status.ok());
  request.set_run_name("a");
  EXPECT_TRUE(absl::IsFailedPrecondition(Run(request).status));
}

TEST_F(RunTest, TheServersBudgetIsTheMost) {
  ServerConfig config = DefaultConfig();
  config.max_micro_usd = 100;
  Start(config);
  GeneratePromptsRequest request;
  request.mutable_captions()->add_captions()->set_text("a red circle");
  request.set_max_cost_micro_usd(101);
  EXPECT_EQ(Run(request).status,
            absl::InvalidArgumentError("max_cost_micro_usd is 101; wants at most the server's 100"));
  request.set_max_cost_micro_usd(0);
  EXPECT_TRUE(Run(request).status.ok());  // shapes costs nothing
}

// Readers that have taken nothing yet hold their runs open.
TEST_F(RunTest, OneMoreRunThanAllowedIsRefused) {
  ServerConfig config = DefaultConfig();
  config.max_runs = 1;
  Start(config);
  WriteCaptions("captions.jsonl", 20'000);
  GeneratePromptsRequest request;
  request.set_captions_file("captions.jsonl");
  grpc::ClientContext context;
  const auto reader = stub_->GeneratePrompts(&context, request);
  GeneratePromptsResponse event;
  ASSERT_TRUE(reader->Read(&event));  // it runs, and 20,000 outcomes fit no window
  const absl::Status refused = Run(request).status;
  EXPECT_TRUE(absl::IsResourceExhausted(refused)) << refused;
  size_t outcomes = 0;
  while (reader->Read(&event)) outcomes += event.has_outcome() ? 1 : 0;  // a slow reader loses nothing
  EXPECT_TRUE(reader->Finish().ok());
  EXPECT_EQ(outcomes, 20'000u);
  EXPECT_TRUE(Run(request).status.ok());
}

TEST_F(RunTest, AServerThatStopsSaysHowToGoOn) {
  Start();
  WriteCaptions("captions.jsonl", 20'000);
  GeneratePromptsRequest request;
  request.set_captions_file("captions.jsonl");
  request.set_run_name("r");
  grpc::ClientContext context;
  const auto reader = stub_->GeneratePrompts(&context, request);
  GeneratePromptsResponse event;
  ASSERT_TRUE(reader->Read(&event));
  std::thread drain([this] { server_->Drain(); });
  while (reader->Read(&event)) {
  }
  const absl::Status status = FromGrpc(reader->Finish());
  drain.join();
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("the same run_name goes on"));
  Start();
  const RunEvents rest = Run(request);
  ASSERT_TRUE(rest.status.ok()) << rest.status;
  EXPECT_EQ(rest.progress.back().accepted() + rest.progress.back().rejected(), 20'000);
}

}  // namespace
}  // namespace ip2p::prompt_generator
