// What is sent to an API server and read out of its objects; the rest is in
// tests/integration/test_training_kubernetes.py.
#include "common/base/json.h"
#include "gmock/gmock.h"
#include "services/training_coordinator/kubernetes_api.h"
#include "services/training_coordinator/kubernetes_manifest.h"
#include "tests/fakes/fake_http_client.h"
#include "tests/fakes/temp_folder.h"

namespace ip2p::training_coordinator {
namespace {

using Json = nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

TEST(KubernetesManifestTest, OnePodARankAndOneNameALaunch) {
  LaunchOrder order;
  order.key = {"job-1", 7};
  order.world_size = 3;
  order.threads = 4;
  order.gpu = true;
  PodOptions options{.image = "ip2p:1", .data_claim = "claim", .data_dir = "/data"};
  const Json job = Json::parse(JobManifest(order, options, "coordinator:1", "/data/jobs/job-1/token"));
  EXPECT_EQ(job["metadata"]["name"], "job-1-e7");
  EXPECT_EQ(job["spec"]["completions"], 3);
  EXPECT_EQ(KeyOf(job), order.key);
  const Json& container = job["spec"]["template"]["spec"]["containers"][0];
  EXPECT_EQ(container["resources"]["limits"]["nvidia.com/gpu"], "1");
  EXPECT_THAT(container["args"].dump(), HasSubstr(R"x("--rank","$(JOB_COMPLETION_INDEX)")x"));
  EXPECT_EQ(KeyOf(Json::object()), std::nullopt);
  EXPECT_EQ(container["volumeMounts"].size(), 2);
}

TEST(KubernetesManifestTest, RunsOfAMirrorAreOnADiskOfTheNode) {
  PodOptions options{.image = "ip2p:1", .data_claim = "claim", .data_dir = "/data"};
  options.scratch = "100Gi";
  options.store_secret = "object-store";
  const Json job = Json::parse(JobManifest({.key = {"job-1", 7}}, options, "coordinator:1", "/data/token"));
  const Json& pod = job["spec"]["template"]["spec"];
  const Json& container = pod["containers"][0];
  const std::string environment = container["env"].dump();
  EXPECT_THAT(environment, HasSubstr(R"({"name":"IP2P_RUN_DIR","value":"/scratch/runs"})"));
  EXPECT_THAT(environment, HasSubstr(R"({"name":"IP2P_CACHE_DIR","value":"/scratch/cache"})"));
  EXPECT_THAT(
      environment,
      HasSubstr(R"({"name":"AWS_SHARED_CREDENTIALS_FILE","value":"/secrets/object-store/credentials"})"));
  EXPECT_EQ(pod["volumes"].size(), 4);
  EXPECT_EQ(container["volumeMounts"].size(), 4);
  EXPECT_EQ(pod["volumes"][2], Json::parse(R"({"name":"scratch","emptyDir":{"sizeLimit":"100Gi"}})"));
  EXPECT_EQ(pod["volumes"][3]["secret"]["secretName"], "object-store");
  EXPECT_EQ(container["volumeMounts"][3]["readOnly"], true);
}

TEST(KubernetesManifestTest, AJobHasEndedWhenNoPodIsLeft) {
  EXPECT_FALSE(HasEnded(Json::parse(R"({"status":{}})")));
  const char* failed = R"({"status":{"active":%s,"conditions":[{"type":"Failed","status":"True"}]}})";
  EXPECT_FALSE(HasEnded(Json::parse(std::string(failed).replace(std::string(failed).find("%s"), 2, "1"))));
  EXPECT_TRUE(HasEnded(Json::parse(std::string(failed).replace(std::string(failed).find("%s"), 2, "0"))));
  EXPECT_FALSE(
      HasEnded(Json::parse(R"({"status":{"conditions":[{"type":"FailureTarget","status":"True"}]}})")));
}

TEST(KubernetesManifestTest, ExitsAreThoseOfPodsThatHaveEnded) {
  const Json pods = Json::parse(R"({"items":[
    {"metadata":{"annotations":{"batch.kubernetes.io/job-completion-index":"0"}},"status":{"phase":"Running"}},
    {"metadata":{"annotations":{"batch.kubernetes.io/job-completion-index":"1"}},"status":{"phase":"Failed",
      "containerStatuses":[{"state":{"terminated":{"exitCode":42}}}]}},
    {"metadata":{"annotations":{"batch.kubernetes.io/job-completion-index":"2"}},"status":{"phase":"Failed"}},
    {"metadata":{},"status":{"phase":"Failed"}}, 5]})");
  EXPECT_THAT(ExitsOf(pods), UnorderedElementsAre(Pair(1, 42), Pair(2, -1)));
}

class KubernetesApiTest : public ::testing::Test {
 protected:
  static Task<void> CreateOne(KubernetesApi* api, absl::Status* outcome) {
    std::string body = "{}";
    *outcome = co_await api->CreateJob(std::move(body), nullptr);
  }
  absl::Status Create() {
    KubernetesApi api({"https://api", "space", folder_.In("token")}, &simulated_.loop, &http_,
                      [] { return 0.5; });
    absl::Status outcome = absl::UnknownError("not over");
    simulated_.loop.Run(CreateOne(&api, &outcome));
    return outcome;
  }
  static HttpResponse Fault(int status) {
    return {.status = status, .headers = {}, .body = R"({"message":"because"})"};
  }

  TempFolder folder_;
  std::string token_ = folder_.Write("token", "secret\n");
  SimulatedLoop simulated_;
  FakeHttpClient http_{&simulated_.loop};
};

TEST_F(KubernetesApiTest, RetriesWhatMayPassAndNotBeforeRetryAfter) {
  HttpResponse busy = Fault(429);
  busy.headers = {{"retry-after", "7"}};
  http_.answers = {busy, absl::UnavailableError("broken"), Fault(503), HttpResponse{.status = 201}};
  EXPECT_TRUE(Create().ok());
  ASSERT_EQ(http_.sent.size(), 4);
  EXPECT_GE(http_.sent[1].first - http_.sent[0].first, absl::Seconds(7));
  EXPECT_EQ(http_.sent[0].second.url, "https://api/apis/batch/v1/namespaces/space/jobs");
  EXPECT_EQ(http_.sent[0].second.headers.back().value, "Bearer secret");
}

TEST_F(KubernetesApiTest, WhatIsFinalIsSaidAtOnce) {
  http_.answers = {Fault(403)};
  const absl::Status forbidden = Create();
  EXPECT_TRUE(absl::IsPermissionDenied(forbidden));
  EXPECT_EQ(forbidden.message(), "the Kubernetes API refuses to create a Job: because");
  http_.answers = {Fault(409)};
  EXPECT_TRUE(absl::IsAlreadyExists(Create()));
  http_.answers = {Fault(422)};
  EXPECT_TRUE(absl::IsInvalidArgument(Create()));
  EXPECT_EQ(http_.sent.size(), 3);
}

TEST_F(KubernetesApiTest, GivesUpInTheEnd) {
  http_.otherwise = [](const HttpRequest&) { return Fault(500); };
  EXPECT_TRUE(absl::IsUnavailable(Create()));
  EXPECT_EQ(http_.sent.size(), 6);
}

}  // namespace
}  // namespace ip2p::training_coordinator
