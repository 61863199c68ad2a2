// Import, export and prepare on a disk that fails, and rows that cannot be used.
#include <cerrno>
#include <filesystem>
#include <map>

#include "common/dataset/export.h"
#include "common/dataset/import.h"
#include "common/dataset/merge.h"
#include "common/dataset/prompt_folder.h"
#include "common/dataset/seeds_file.h"
#include "common/storage/tar.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/fakes/failing_disk.h"
#include "tests/fakes/temp_folder.h"

namespace ip2p {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

std::string FlatJpeg(uint8_t level) {
  return EncodePairImage({.width = 8, .height = 8, .pixels = std::vector<uint8_t>(8 * 8 * 3, level)}).value();
}

class ConversionsTest : public ::testing::Test {
 protected:
  ConversionsTest() {
    fs::create_directories(folder_.In("data"));
    for (int64_t index = 0; index < 3; ++index) {
      std::vector<Sample> samples(1);
      samples[0].kept = index != 1;
      std::vector<StoredPair> pairs;
      if (index != 1) pairs.push_back({.seed = 0, .before = FlatJpeg(50), .after = FlatJpeg(200)});
      const PromptContents contents{.prompt_line = R"({"edit":"e"})", .samples = samples, .pairs = pairs};
      EXPECT_TRUE(PublishPrompt(folder_.In("data"), index, contents).ok());
    }
  }

  std::map<std::string, std::string> Contents(const std::string& name) const {
    std::map<std::string, std::string> contents;
    for (const auto& entry : fs::recursive_directory_iterator(folder_.In(name))) {
      const std::string inside = fs::relative(entry.path(), folder_.In(name));
      if (inside == ".lock") continue;
      contents[inside] = entry.is_regular_file() ? folder_.Read(name + "/" + inside) : "a folder";
    }
    return contents;
  }
  absl::Status Export(const std::string& output) const {
    return ExportDataset(folder_.In("data"), folder_.In(output), nullptr).status();
  }
  absl::StatusOr<ImportReport> Import(const std::string& from, const std::string& output) const {
    absl::StatusOr<std::unique_ptr<ImportSource>> source = OpenImportSource(folder_.In(from), {});
    if (!source.ok()) return source.status();
    return ImportDataset(**source, folder_.In(output), {});
  }

  // Calls `run`, with the n-th call to the disk failing, for every n; then again: the same as `wanted`.
  template <typename Run>
  void FailEachCall(const std::string& output, int least, const Run& run) {
    ASSERT_TRUE(run().ok());
    const auto wanted = Contents(output);
    for (const int error : {ENOSPC, EROFS}) {
      for (int call = 1;; ++call) {
        Clear();
        absl::Status status;
        bool failed = false;
        {
          const FailingDisk disk(call, error);
          status = run();
          failed = FailingDisk::failed();
        }
        if (!failed) {
          EXPECT_GT(call, least);
          break;
        }
        const bool retryable =
            error == ENOSPC ? absl::IsResourceExhausted(status) : absl::IsUnavailable(status);
        EXPECT_TRUE(retryable) << "call " << call << ": " << status;
        const absl::Status again = run();
        EXPECT_TRUE(again.ok() || absl::IsAlreadyExists(again)) << "call " << call << ": " << again;
        EXPECT_EQ(Contents(output), wanted) << "call " << call;
      }
    }
    Clear();
    const ShortWrites pieces(10);
    ASSERT_TRUE(run().ok());
    EXPECT_EQ(Contents(output), wanted);
  }
  void Clear() const {
    fs::remove_all(folder_.In("out"));
    fs::remove(folder_.In("data/seeds.json"));
    fs::remove(folder_.In("data/.lock"));
  }

  TempFolder folder_;
};

TEST_F(ConversionsTest, ExportsAfterAFaultOfTheDisk) {
  FailEachCall("out", 20, [this] { return Export("out"); });
}

TEST_F(ConversionsTest, ImportsAfterAFaultOfTheDisk) {
  ASSERT_TRUE(Export("exported").ok());
  FailEachCall("out", 20, [this] { return Import("exported", "out").status(); });
}

TEST_F(ConversionsTest, PreparesAfterAFaultOfTheDisk) {
  FailEachCall("data", 4, [this] { return WriteSeedsFile(folder_.In("data")).status(); });
}

TEST_F(ConversionsTest, APartThatIsTooLargeIsTheRowsFault) {
  std::string archive;
  TarWriter writer([&archive](std::string_view bytes) {
    archive += bytes;
    return absl::OkStatus();
  });
  const std::string large(20'000'001, 'x');
  for (const auto& [name, contents] :
       std::vector<std::pair<std::string, std::string>>{{"0.before.jpg", FlatJpeg(10)},
                                                        {"0.after.jpg", FlatJpeg(90)},
                                                        {"0.edit.txt", "e"},
                                                        {"1.before.jpg", FlatJpeg(10)},
                                                        {"1.after.jpg", large},
                                                        {"1.edit.txt", "e"},
                                                        {"2.before.jpg", FlatJpeg(10)},
                                                        {"2.after.jpg", FlatJpeg(90)},
                                                        {"2.edit.txt", "e"},
                                                        {"2.depth.npy", large}}) {
    ASSERT_TRUE(writer.Add(name, contents).ok());
  }
  ASSERT_TRUE(writer.Finish().ok());
  folder_.Write("rows.tar", archive);
  const absl::StatusOr<ImportReport> report = Import("rows.tar", "out");
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->rows, 3);
  EXPECT_EQ(report->pairs, 2);
  EXPECT_THAT(report->skipped, ElementsAre(Pair("its part after.jpg is over 20000000 bytes", 1)));

  fs::create_directories(folder_.In("folder"));
  folder_.Write("folder/a.jpg", large);
  folder_.Write("folder/b.jpg", FlatJpeg(10));
  folder_.Write("folder/metadata.jsonl", R"({"input_image":"a.jpg","edited_image":"b.jpg","edit_prompt":"e"})"
                                         "\n");
  const absl::StatusOr<ImportReport> from_folder = Import("folder", "out2");
  ASSERT_TRUE(from_folder.ok()) << from_folder.status();
  EXPECT_THAT(from_folder->skipped, ElementsAre(Pair("the image before cannot be read", 1)));
}

TEST_F(ConversionsTest, MergesAfterAFaultOfTheDisk) {
  FailEachCall("out", 20, [this] {
    return MergeDatasets({folder_.In("data"), folder_.In("data")}, folder_.In("out"), nullptr).status();
  });
}

TEST_F(ConversionsTest, AMergeHoldsEveryPromptOfBothByteForByte) {
  ASSERT_TRUE(Export("exported").ok());
  ASSERT_TRUE(Import("exported", "imported").ok());
  const auto merge = [this](const std::vector<std::string>& inputs) {
    return MergeDatasets(inputs, folder_.In("out"), nullptr);
  };
  const auto report = merge({folder_.In("data"), folder_.In("imported")});
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->prompts, 5);  // three, one of them without a pair, and two
  EXPECT_EQ(report->pairs, 4);
  const auto merged = Contents("out"), first = Contents("data"), second = Contents("imported");
  for (const auto& [name, bytes] : first) {
    if (name == "run.json") continue;
    EXPECT_EQ(merged.at(name), bytes) << name;
  }
  EXPECT_EQ(merged.at("0000003/0_0.jpg"), second.at("0000000/0_0.jpg"));
  EXPECT_EQ(merged.at("0000004/prompt.json"), second.at("0000001/prompt.json"));

  EXPECT_TRUE(absl::IsFailedPrecondition(merge({folder_.In("data")}).status()));  // another one
  EXPECT_TRUE(absl::IsInvalidArgument(merge({}).status()));
  const absl::Status missing = merge({folder_.In("data"), folder_.In("nowhere")}).status();
  EXPECT_TRUE(absl::IsNotFound(missing));
  EXPECT_THAT(missing.message(), HasSubstr("nowhere: "));
}

TEST(JudgeImport, AThousandthMayBeBadAndNoMore) {
  ImportReport report{.rows = 1000, .pairs = 999, .skipped = {{"torn", 1}}};
  EXPECT_TRUE(JudgeImport(report).ok());
  report.rows = 999;
  report.pairs = 998;
  const absl::Status status = JudgeImport(report);
  EXPECT_TRUE(absl::IsFailedPrecondition(status));
  EXPECT_THAT(status.message(), HasSubstr("1 of 999 rows were skipped (1 rows: torn); wants at most 0.1 %"));
  EXPECT_TRUE(absl::IsFailedPrecondition(JudgeImport({})));
}

}  // namespace
}  // namespace ip2p
