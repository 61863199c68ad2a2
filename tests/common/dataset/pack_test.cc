// Packing and unpacking on a disk that fails: each call fails once, and the next run ends with the same
// bytes.
#include "common/dataset/pack.h"

#include <cerrno>
#include <filesystem>
#include <map>

#include "common/dataset/pack_index.h"
#include "common/dataset/prompt_folder.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/fakes/failing_disk.h"
#include "tests/fakes/temp_folder.h"

namespace ip2p {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class PackTest : public ::testing::Test {
 protected:
  PackTest() {
    fs::create_directories(folder_.In("data"));
    folder_.Write("data/run.json", "{}\n");
    for (int64_t index = 0; index < 3; ++index) {
      std::vector<Sample> samples(2);
      std::vector<StoredPair> pairs;
      for (uint64_t seed = 0; seed < 2 && index != 1; ++seed) {
        samples[seed].seed = seed;
        samples[seed].kept = true;
        pairs.push_back({.seed = seed, .before = std::string(6000, 'b'), .after = std::string(5000, 'a')});
      }
      const PromptContents contents{.prompt_line = R"({"edit":"e"})", .samples = samples, .pairs = pairs};
      EXPECT_TRUE(PublishPrompt(folder_.In("data"), index, contents).ok());
    }
  }

  std::map<std::string, std::string> Contents(const std::string& name) const {
    std::map<std::string, std::string> contents;
    for (const auto& entry : fs::recursive_directory_iterator(folder_.In(name))) {
      const std::string inside = fs::relative(entry.path(), folder_.In(name));
      if (entry.is_regular_file() && inside != ".lock") contents[inside] = folder_.Read(name + "/" + inside);
    }
    return contents;
  }
  absl::Status Pack(const std::string& output) const {
    return PackDataset(folder_.In("data"), folder_.In(output), {.shard_bytes = 20'000}).status();
  }
  absl::Status Unpack(const std::string& output) const {
    return UnpackDataset(folder_.In("packed"), folder_.In(output), nullptr).status();
  }

  // Calls `run`, with the n-th call to the disk failing, for every n; then again until it is done.
  template <typename Run>
  void FailEachCall(const std::string& output, const std::map<std::string, std::string>& wanted,
                    const Run& run, int error = ENOSPC, int stride = 1) {
    for (int call = 1;; call += stride) {
      absl::Status status;
      bool failed = false;
      {
        const FailingDisk disk(call, error);
        status = run();
        failed = FailingDisk::failed();
      }
      if (!failed) {
        EXPECT_GT(call, 20);
        return;
      }
      if (!status.ok()) {
        const bool retryable =
            error == ENOSPC ? absl::IsResourceExhausted(status) : absl::IsUnavailable(status);
        EXPECT_TRUE(retryable) << "call " << call << ": " << status;
        const absl::Status again = run();
        // The index may have been there, and only its folder not synced.
        EXPECT_TRUE(again.ok() || absl::IsAlreadyExists(again)) << "call " << call << ": " << again;
      }
      fs::remove(folder_.In(output + "/.pack-progress.json"));  // kept where the last sync was what failed
      EXPECT_EQ(Contents(output), wanted) << "call " << call;
      fs::remove_all(folder_.In(output));
    }
  }

  TempFolder folder_;
};

TEST_F(PackTest, GoesOnAfterAFaultOfTheDisk) {
  ASSERT_TRUE(Pack("packed").ok());
  EXPECT_TRUE(fs::exists(folder_.In("packed/pairs-000001.tar")));  // more than one shard
  FailEachCall("again", Contents("packed"), [this] { return Pack("again"); });
  FailEachCall(
      "again", Contents("packed"), [this] { return Pack("again"); }, EROFS, /*stride=*/5);
}

TEST_F(PackTest, WritesInSmallPieces) {
  ASSERT_TRUE(Pack("packed").ok());
  const ShortWrites pieces(100);
  ASSERT_TRUE(Pack("again").ok());
  EXPECT_EQ(Contents("again"), Contents("packed"));
  ASSERT_TRUE(Unpack("back").ok());
  EXPECT_EQ(Contents("back"), Contents("data"));
}

TEST_F(PackTest, UnpacksAfterAFaultOfTheDisk) {
  ASSERT_TRUE(Pack("packed").ok());
  FailEachCall("back", Contents("data"), [this] { return Unpack("back"); });
}

TEST_F(PackTest, AnUnfinishedPackOfSomethingElseIsNotContinued) {
  ASSERT_TRUE(Pack("packed").ok());
  fs::create_directories(folder_.In("other"));
  folder_.Write("other/.pack-progress.json", R"({"plan": "x", "index": ""})");
  EXPECT_TRUE(absl::IsFailedPrecondition(Pack("other")));
  EXPECT_TRUE(absl::IsAlreadyExists(Pack("packed")));
}

// A refilter, or `prepare`, between a kill and the next run: old shards do not fit to new ones.
TEST_F(PackTest, AnUnfinishedPackOfAnEarlierStateIsNotContinued) {
  const std::string scores = folder_.Read("data/0000001/scores.jsonl");
  const auto unfinished = [this] {
    for (int call = 1; call == 1 || !fs::exists(folder_.In("part/pairs-000000.tar")); ++call) {
      fs::remove_all(folder_.In("part"));
      const FailingDisk disk(call, ENOSPC);
      ASSERT_TRUE(absl::IsResourceExhausted(Pack("part")));
    }
  };
  unfinished();
  EXPECT_TRUE(Pack("part").ok());
  unfinished();
  folder_.Write("data/0000001/scores.jsonl", scores + scores);
  EXPECT_TRUE(absl::IsFailedPrecondition(Pack("part")));
  folder_.Write("data/0000001/scores.jsonl", scores);
  folder_.Write("data/seeds.json", "[]");
  EXPECT_TRUE(absl::IsFailedPrecondition(Pack("part")));
  fs::remove(folder_.In("data/seeds.json"));
  EXPECT_TRUE(Pack("part").ok());
}

TEST_F(PackTest, AnImageThatIsTooLargeIsBadInput) {
  fs::resize_file(folder_.In("data/0000002/1_1.jpg"), 20'000'001);
  const absl::Status status = Pack("packed");
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_THAT(status.message(), HasSubstr("0000002/1_1.jpg is too large"));
}

TEST_F(PackTest, NamesThatAKeyCannotHoldAreRefused) {
  fs::rename(folder_.In("data/0000002"), folder_.In("data/a_b"));
  EXPECT_THAT(Pack("packed").message(), HasSubstr("folder a_b cannot be packed"));
}

TEST(PackIndex, ReadsBackAndRefusesPaths) {
  PackIndex index;
  index.pairs = {{.name = "pairs-000000.tar", .samples = 3, .bytes = 9, .sha256 = std::string(64, 'a')}};
  index.prompts = {{.name = "prompts-000000.tar", .samples = 2, .bytes = 9, .sha256 = std::string(64, 'b')}};
  EXPECT_EQ(ParsePackIndex(PackIndexText(index)).value(), index);
  // The sum of two such shards would overflow.
  EXPECT_TRUE(
      absl::IsDataLoss(ParsePackIndex(R"({"format":1,"promptlist":[],"shardlist":[{"url":"a","nsamples":)"
                                      R"(9223372036854775807,"sha256":")" +
                                      std::string(64, 'a') + "\"}]}")
                           .status()));
  index.pairs[0].name = "../pairs.tar";
  EXPECT_TRUE(absl::IsDataLoss(ParsePackIndex(PackIndexText(index)).status()));
  for (const char* const text :
       {"", "[]", "{}", R"({"format":2})", R"({"format":1,"shardlist":[1],"promptlist":[]})",
        R"({"format":1,"shardlist":[{"url":1}],"promptlist":[]})"}) {
    EXPECT_TRUE(absl::IsDataLoss(ParsePackIndex(text).status())) << text;
  }
}

}  // namespace
}  // namespace ip2p
