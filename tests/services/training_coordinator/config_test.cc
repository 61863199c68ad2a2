// Settings: what is said becomes values, and every fault is told.
#include "services/training_coordinator/config.h"

#include <map>

#include "gmock/gmock.h"
#include "tests/fakes/temp_folder.h"

namespace ip2p::training_coordinator {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

absl::StatusOr<std::optional<ServerConfig>> Load(std::vector<std::string> args,
                                                 std::map<std::string, std::string> variables = {}) {
  return LoadServerConfig(args, [&variables](const char* name) {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  });
}

TEST(ConfigTest, ADataFolderIsEnough) {
  const auto config = Load({"--data-dir", "/data", "--cpu-slots", "3", "--heartbeat-seconds", "0.5"});
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ((*config)->limits.slots.cpu, 3);
  EXPECT_EQ((*config)->limits.group.heartbeat, absl::Milliseconds(500));
  EXPECT_FALSE((*config)->kubernetes.has_value());
  EXPECT_GE((*config)->threads_per_slot, 1);
  EXPECT_THAT((*config)->worker_program, HasSubstr("/ip2p_training_worker"));
}

TEST(ConfigTest, AllFaultsAreTold) {
  const auto config =
      Load({"--cpu-slots", "0", "--worker-env", "=x", "--launcher", "slurm", "--log-level", "loud"});
  ASSERT_TRUE(absl::IsInvalidArgument(config.status()));
  EXPECT_THAT(std::string(config.status().message()),
              AllOf(HasSubstr("data_dir is missing"), HasSubstr("at least one slot"), HasSubstr("worker_env"),
                    HasSubstr("launcher is \"slurm\"; wants local or kubernetes"), HasSubstr("log_level")));
}

TEST(ConfigTest, AMirrorIsAUrl) {
  EXPECT_EQ((*Load({"--data-dir=/data", "--mirror=s3://bucket/runs"}))->mirror, "s3://bucket/runs");
  EXPECT_EQ(Load({"--data-dir=/data", "--mirror=bucket/runs"}).status().message(),
            "mirror: \"bucket/runs\" is no URL; wants s3://BUCKET/KEY");
}

TEST(ConfigTest, ThePodsOwnClusterIsTheDefault) {
  const std::map<std::string, std::string> pod = {{"KUBERNETES_SERVICE_HOST", "fd00::1"},
                                                  {"KUBERNETES_SERVICE_PORT", "443"}};
  const auto config = Load(
      {"--data-dir=/data", "--launcher=kubernetes", "--kubernetes-namespace=ip2p", "--worker-image=ip2p:1",
       "--worker-data-claim=data", "--worker-address=coordinator:50056", "--worker-env=A=b=c"},
      pod);
  ASSERT_TRUE(config.ok()) << config.status();
  const KubernetesOptions& options = *(*config)->kubernetes;
  EXPECT_EQ(options.access.server, "https://[fd00::1]:443");
  EXPECT_EQ(options.access.token_file, "/var/run/secrets/kubernetes.io/serviceaccount/token");
  EXPECT_EQ(options.ca_file, "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt");
  EXPECT_EQ(options.pods.data_dir, "/data");
  EXPECT_EQ(options.pods.environment.at("A"), "b=c");
  EXPECT_THAT(std::string(Load({"--data-dir=/data", "--launcher=kubernetes"}).status().message()),
              AllOf(HasSubstr("kubernetes_server is missing"), HasSubstr("worker_image is missing"),
                    HasSubstr("worker_address is missing")));
}

TEST(ConfigTest, ADiskOfTheNodeWantsAMirror) {
  const auto config = Load({"--data-dir=/data", "--launcher=kubernetes", "--worker-scratch=100Gi"});
  EXPECT_THAT(std::string(config.status().message()), HasSubstr("worker_scratch is set and mirror is not"));
}

TEST(ConfigTest, ADsnComesFromAFileOrTheEnvironment) {
  const TempFolder folder;
  const std::string file = folder.Write("dsn", "host=db password=x\n");
  EXPECT_EQ((*Load({"--data-dir=/data", "--postgres-dsn-file", file}))->postgres_dsn, "host=db password=x");
  EXPECT_EQ((*Load({"--data-dir=/data"}, {{"IP2P_POSTGRES_DSN", "host=env"}}))->postgres_dsn, "host=env");
  EXPECT_TRUE(absl::IsInvalidArgument(Load({"--data-dir=/data", "--postgres-dsn", "password=x"}).status()))
      << "never a flag";
  EXPECT_TRUE(absl::IsInvalidArgument(Load({"--data-dir=/data", "--postgres-dsn-file=/nothing"}).status()));
}

}  // namespace
}  // namespace ip2p::training_coordinator
