// A refiltered dataset is the one that its new thresholds would have made.
#include "common/pipeline/pair_refilter.h"

#include <cerrno>
#include <filesystem>
#include <optional>
#include <utility>

#include "common/dataset/seeds_file.h"
#include "gmock/gmock.h"
#include "tests/common/pipeline/pair_job_fixture.h"
#include "tests/fakes/failing_disk.h"

namespace ip2p {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

class CountingListener final : public RefilterListener {
 public:
  void OnLoading() override { ++loads; }
  absl::Status OnProgress(const RefilterReport&, int64_t) override {
    return ++calls == fail_at ? absl::CancelledError("stop") : absl::OkStatus();
  }
  int loads = 0;
  int calls = 0;
  int fail_at = -1;
};

class PairRefilterTest : public PairJobTest {
 protected:
  PairJobOptions With(const std::string& out, const ClipThresholds& thresholds, int max_out = 2) const {
    PairJobOptions options = Options(out);
    options.params.thresholds = thresholds;
    options.params.max_out_samples = max_out;
    return options;
  }
  absl::Status Refilter(const std::string& out, const ClipThresholds& thresholds, int max_out = 0) {
    refiltered_ = RefilterReport();
    return Refilter(RefilterOptions{.dataset = folder_.In(out),
                                    .clip_threshold = thresholds.clip,
                                    .clip_dir_threshold = thresholds.dir,
                                    .clip_img_threshold = thresholds.img,
                                    .max_out_samples = max_out});
  }
  absl::Status Refilter(const RefilterOptions& options) {
    return RefilterDataset(
        options, [this] { return std::make_unique<FakePairSampler>(sampler_); }, refilter_listener_,
        refiltered_);
  }

  const ClipThresholds strict_{.clip = 0.4, .dir = 0.6, .img = 0.3};
  const ClipThresholds loose_{.clip = 0.1, .dir = 0.2, .img = 0.1};
  CountingListener refilter_listener_;
  RefilterReport refiltered_;
};

TEST_F(PairRefilterTest, RefusesPairsOfPhotosThatItDoesNotHave) {
  WritePrompts(1);
  WritePhoto("a.jpg", 9);
  folder_.Write("set/metadata.jsonl", R"({"file_name":"a.jpg","caption":"caption 0"})");
  PairJobOptions options = With("out", loose_);
  options.photos = folder_.In("set");
  options.params.common_steps = 0.5;
  ASSERT_TRUE(Run(options).ok());
  const FilesByName files = Files("out");
  const absl::Status status = Refilter("out", strict_);
  EXPECT_TRUE(absl::IsFailedPrecondition(status));
  EXPECT_THAT(status.message(), HasSubstr("made from photos, which it does not hold"));
  EXPECT_THAT(Differing(Files("out"), files), IsEmpty());
}

TEST_F(PairRefilterTest, EqualsARunWithTheNewThresholds) {
  WritePrompts(8);
  ASSERT_TRUE(Run(With("strict", strict_)).ok());
  ASSERT_TRUE(Run(With("loose", loose_, 4)).ok());
  const auto strict = Files("strict");
  const auto loose = Files("loose");
  ASSERT_NE(strict, loose);

  absl::Status status = Refilter("loose", strict_, 2);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(refilter_listener_.loads, 0);  // what is left was there
  EXPECT_GT(refiltered_.dropped, 0);
  EXPECT_EQ(refiltered_.rebuilt, 0);
  EXPECT_THAT(Differing(Files("loose"), strict), IsEmpty());

  status = Refilter("loose", loose_, 4);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(refilter_listener_.loads, 1);
  EXPECT_GT(refiltered_.rebuilt, 0);
  EXPECT_EQ(refiltered_.prompts, 8);
  EXPECT_THAT(Differing(Files("loose"), loose), IsEmpty());

  status = Refilter("loose", loose_, 4);  // again: nothing to do
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(refiltered_.changed, 0);
  EXPECT_THAT(Differing(Files("loose"), loose), IsEmpty());
  EXPECT_TRUE(Run(With("loose", loose_, 4)).ok());  // and jobs take it for theirs
}

TEST_F(PairRefilterTest, EndedAnywhereItIsStartedAgain) {
  WritePrompts(4);
  ASSERT_TRUE(Run(With("strict", strict_)).ok());
  ASSERT_TRUE(Run(With("loose", loose_)).ok());
  const auto loose = Files("loose");
  int ends = 0;
  int64_t changed = 0;
  for (int at = 1; at < 100; ++at) {
    refilter_listener_.calls = 0;
    refilter_listener_.fail_at = at;
    const absl::Status status = Refilter("strict", loose_);
    if (status.ok()) break;
    ++ends;
    EXPECT_TRUE(absl::IsCancelled(status));
    changed += refiltered_.changed;
    const absl::Status job = Run(With("strict", strict_));
    EXPECT_EQ(job.code(), changed == 0 ? absl::StatusCode::kOk : absl::StatusCode::kFailedPrecondition);
  }
  EXPECT_GT(ends, 3);
  EXPECT_THAT(Differing(Files("strict"), loose), IsEmpty());
}

TEST_F(PairRefilterTest, SeedsJsonIsThatOfTheNewDataset) {
  WritePrompts(8);
  ASSERT_TRUE(Run(With("strict", strict_)).ok());
  ASSERT_TRUE(Run(With("loose", loose_)).ok());
  ASSERT_TRUE(WriteSeedsFile(folder_.In("strict")).ok());
  ASSERT_TRUE(WriteSeedsFile(folder_.In("loose")).ok());
  const auto loose = Files("loose");
  ASSERT_TRUE(Refilter("loose", strict_).ok());
  EXPECT_THAT(Differing(Files("loose"), Files("strict")), IsEmpty());
  ASSERT_TRUE(Refilter("loose", loose_).ok());
  EXPECT_THAT(Differing(Files("loose"), loose), IsEmpty());

  folder_.Write("loose/seeds.json", "[]");  // of nobody's business when nothing changes
  ASSERT_TRUE(Refilter("loose", loose_).ok());
  EXPECT_EQ(folder_.Read("loose/seeds.json"), "[]");
  std::filesystem::remove(folder_.In("loose/seeds.json"));
  ASSERT_TRUE(Refilter("loose", strict_).ok());
  EXPECT_FALSE(std::filesystem::exists(folder_.In("loose/seeds.json")));  // it was not prepared
}

TEST_F(PairRefilterTest, WhatIsNotGivenStaysAsItIs) {
  WritePrompts(6);
  ASSERT_TRUE(Run(With("d", loose_, 3)).ok());
  const auto before = Files("d");
  ASSERT_TRUE(Refilter(RefilterOptions{.dataset = folder_.In("d")}).ok());
  EXPECT_THAT(Differing(Files("d"), before), IsEmpty());
  ASSERT_TRUE(Run(With("higher", {.clip = loose_.clip, .dir = 0.6, .img = loose_.img}, 3)).ok());
  ASSERT_TRUE(Refilter({.dataset = folder_.In("d"), .clip_dir_threshold = 0.6}).ok());
  EXPECT_GT(refiltered_.dropped, 0);
  EXPECT_THAT(Differing(Files("d"), Files("higher")), IsEmpty());
}

// Each call to the disk fails once, and each ends the process once; started again, the dataset is that of the
// new thresholds. With the renames of NFS, where the folder under work is missing for a moment, as well.
TEST_F(PairRefilterTest, AFaultOrAKillAtAnyCallToTheDisk) {
  WritePrompts(2);
  ASSERT_TRUE(Run(With("strict", strict_)).ok());
  ASSERT_TRUE(Run(With("loose", loose_)).ok());
  ASSERT_TRUE(WriteSeedsFile(folder_.In("strict")).ok());
  ASSERT_TRUE(WriteSeedsFile(folder_.In("loose")).ok());
  const auto loose = Files("loose");
  const auto start = [this] {
    std::filesystem::remove_all(folder_.In("d"));
    std::filesystem::copy(folder_.In("strict"), folder_.In("d"), std::filesystem::copy_options::recursive);
  };
  const auto end = [&](int call) {
    const absl::Status again = Refilter("d", loose_);
    EXPECT_TRUE(again.ok()) << call << ": " << again;
    EXPECT_THAT(Differing(Files("d"), loose), IsEmpty()) << call;
    for (const auto& entry : std::filesystem::directory_iterator(folder_.In("d"))) {
      EXPECT_THAT(entry.path().filename().string(), Not(StartsWith(".tmp-"))) << call;
    }
  };
  // What the second of each pair adds is the kind, so every fourth call does.
  for (const auto& [error, stride] : {std::pair{ENOSPC, 1}, {EROFS, 4}}) {
    int call = 1;
    for (bool failed = true; failed; call += stride) {
      start();
      {
        const FailingDisk disk(call, error);
        const absl::Status status = Refilter("d", loose_);
        failed = FailingDisk::failed();
        if (failed && !status.ok()) {
          EXPECT_TRUE(error == ENOSPC ? absl::IsResourceExhausted(status) : absl::IsUnavailable(status))
              << call << ": " << status;
        }
      }
      end(call);
    }
    EXPECT_GT(call, 30);
  }
  for (const auto& [plain, stride] : {std::pair{true, 1}, {false, 4}}) {
    int call = 1;
    for (bool killed = true; killed; call += stride) {
      start();
      killed = KilledAtCall(call, [this, with_nfs = plain] {
        std::optional<PlainRenames> nfs;
        if (with_nfs) nfs.emplace();
        static_cast<void>(Refilter("d", loose_));
      });
      end(call);
    }
    EXPECT_GT(call, 30);
  }
}

TEST_F(PairRefilterTest, Refusals) {
  EXPECT_EQ(Refilter("none", loose_).code(), absl::StatusCode::kNotFound);
  WritePrompts(2);
  ASSERT_TRUE(Run(With("strict", strict_)).ok());
  EXPECT_EQ(Refilter("strict", {2, 0, 0}).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Refilter("strict", {0, 0, 0}).code(), absl::StatusCode::kInvalidArgument);

  ASSERT_TRUE(Run(With("free", {0, 0, 0})).ok());
  EXPECT_THAT(std::string(Refilter("free", loose_).message()),
              HasSubstr("has no scores; wants a run that asked CLIP"));

  PairJobOptions early = With("early", strict_);
  early.params.early_stop = true;
  ASSERT_TRUE(Run(early).ok());
  EXPECT_EQ(Refilter("early", loose_).code(), absl::StatusCode::kFailedPrecondition);

  const auto before = Files("strict");
  sampler_.fingerprint = "22222222222222222222222222222222";
  const absl::Status other = Refilter("strict", loose_);
  EXPECT_EQ(other.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(other.message()), HasSubstr("the models are 2222"));
  EXPECT_THAT(Differing(Files("strict"), before), IsEmpty());
}

TEST_F(PairRefilterTest, AJobAtWorkIsLeftAlone) {
  WritePrompts(3);
  listener_.on_prompt = [this](const PairJobReport&) {
    EXPECT_EQ(Refilter("strict", loose_).code(), absl::StatusCode::kUnavailable);
  };
  ASSERT_TRUE(Run(With("strict", strict_)).ok());
}

}  // namespace
}  // namespace ip2p
