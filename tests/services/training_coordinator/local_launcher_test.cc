// Real processes: shell scripts in the place of workers.
#include "services/training_coordinator/local_launcher.h"

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <memory>

#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "tests/fakes/temp_folder.h"

namespace ip2p::training_coordinator {
namespace {

using ::testing::HasSubstr;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

class LocalLauncherTest : public ::testing::Test {
 protected:
  LocalLauncherTest() {
    EXPECT_TRUE(folders_.Prepare().ok());
    EXPECT_TRUE(folders_.MakeJob(key_.job_id).ok());
  }
  ~LocalLauncherTest() override {
    for (const auto& [rank, process] : FindWorkers(key_)) kill(-process.pid, SIGKILL);
  }
  std::unique_ptr<LocalLauncher> Launcher(const std::string& script) {
    const std::string program = folder_.Write("worker", "#!/bin/bash\n" + script + "\n");
    chmod(program.c_str(), 0755);
    auto launcher = std::make_unique<LocalLauncher>(
        LocalLauncherOptions{.program = program, .environment = {"EXTRA=more"}}, folder_.path());
    launcher->SetAddress("127.0.0.1:7");
    return launcher;
  }
  LaunchOrder Order(int world_size = 2) const {
    return {.key = key_, .world_size = world_size, .threads = 3, .gpu = false, .slots = {0, 1}};
  }
  LaunchState Until(LocalLauncher& launcher, bool gone, size_t exits) {
    for (int i = 0; i < 500; ++i) {
      const LaunchState state = launcher.Look(key_);
      if (state.gone == gone && state.exits.size() == exits) return state;
      absl::SleepFor(absl::Milliseconds(20));
    }
    ADD_FAILURE() << "the processes did not get there";
    return launcher.Look(key_);
  }
  std::string Output(int rank) const {
    return folder_.Read("jobs/" + key_.job_id + "/logs/worker-" + std::to_string(rank) + ".out");
  }

  TempFolder folder_;
  const JobFolders folders_{folder_.path()};
  const LaunchKey key_{"job-" + std::filesystem::path(folder_.path()).filename().string(), 3};
};

TEST_F(LocalLauncherTest, WorkersGetTheirOrdersAndNoSecrets) {
  setenv("IP2P_POSTGRES_DSN", "password=canary", 1);
  const auto launcher = Launcher("echo $*; env");
  launcher->Launch(Order());
  EXPECT_THAT(Until(*launcher, true, 2).exits, UnorderedElementsAre(Pair(0, 0), Pair(1, 0)));
  unsetenv("IP2P_POSTGRES_DSN");
  EXPECT_THAT(Output(1), HasSubstr("--coordinator 127.0.0.1:7 --job " + key_.job_id +
                                   " --epoch 3 --rank 1 --world-size 2 --data-dir " + folder_.path() +
                                   " --token-file " + folders_.TokenFile(key_.job_id)));
  EXPECT_THAT(Output(1), HasSubstr("IP2P_THREADS=3"));
  EXPECT_THAT(Output(1), HasSubstr("EXTRA=more"));
  EXPECT_THAT(Output(1), ::testing::Not(HasSubstr("canary")));
}

TEST_F(LocalLauncherTest, ExitCodesAndSignalsAreTold) {
  const auto launcher = Launcher("[[ $* == *'--rank 0'* ]] && exit 42; kill -9 $$");
  launcher->Launch(Order());
  EXPECT_THAT(Until(*launcher, true, 2).exits, UnorderedElementsAre(Pair(0, 42), Pair(1, 137)));
}

TEST_F(LocalLauncherTest, ASecondLaunchStartsNothing) {
  const auto launcher = Launcher("echo started >> " + folder_.In("starts") + "; sleep 1000");
  launcher->Launch(Order());
  launcher->Launch(Order());
  for (int i = 0; i < 500 && folder_.Read("starts").size() < 16; ++i) absl::SleepFor(absl::Milliseconds(20));
  EXPECT_EQ(folder_.Read("starts"), "started\nstarted\n");
}

TEST_F(LocalLauncherTest, ThoseOfAFormerCoordinatorAreFound) {
  // The worker's parent is gone, as after a coordinator's death: a shell that started it and ended.
  const std::string script =
      folder_.Write("worker", "#!/bin/bash\ntrap 'exit 3' TERM\nwhile :; do sleep 0.05; done\n");
  chmod(script.c_str(), 0755);
  const std::string command = "setsid " + script + " --job " + key_.job_id +
                              " --epoch 3 --rank 1 --world-size 2 >/dev/null 2>&1 & sleep 0.2";
  ASSERT_EQ(std::system(command.c_str()), 0);
  const auto launcher =
      std::make_unique<LocalLauncher>(LocalLauncherOptions{.program = script}, folder_.path());
  launcher->Adopt(Order());
  LaunchState state = launcher->Look(key_);
  EXPECT_FALSE(state.gone);
  EXPECT_THAT(state.exits, UnorderedElementsAre(Pair(0, -1))) << "rank 0 was not found";
  launcher->Stop(key_, false);
  EXPECT_THAT(Until(*launcher, true, 2).exits, UnorderedElementsAre(Pair(0, -1), Pair(1, -1)));
  launcher->Adopt({.key = {key_.job_id, 4}, .world_size = 1});
  EXPECT_TRUE(launcher->Look({key_.job_id, 4}).gone) << "another epoch's workers are not its own";
}

TEST_F(LocalLauncherTest, StopAsksAndThenEnds) {
  const auto launcher = Launcher("trap '' TERM; while :; do sleep 0.05; done");
  launcher->Launch(Order(1));
  absl::SleepFor(absl::Milliseconds(300));
  launcher->Stop(key_, false);
  absl::SleepFor(absl::Milliseconds(200));
  EXPECT_FALSE(launcher->Look(key_).gone);
  launcher->Stop(key_, true);
  EXPECT_THAT(Until(*launcher, true, 1).exits, UnorderedElementsAre(Pair(0, 137)));
}

TEST_F(LocalLauncherTest, AMissingProgramIsSaid) {
  LocalLauncher launcher({.program = folder_.In("nothing")}, folder_.path());
  launcher.Launch(Order());
  const LaunchState state = launcher.Look(key_);
  EXPECT_TRUE(absl::IsFailedPrecondition(state.error)) << state.error;
  EXPECT_TRUE(state.gone);
}

TEST(ProcessTest, AReusedNumberIsAnotherProcess) {
  EXPECT_TRUE(StartOfProcess(getpid()).has_value());
  EXPECT_EQ(StartOfProcess(getpid()), StartOfProcess(getpid()));
  EXPECT_FALSE(StartOfProcess(0x3fffffff).has_value());
}

}  // namespace
}  // namespace ip2p::training_coordinator
