#include "common/training/example_loader.h"

#include <set>

#include "common/training/example_source.h"
#include "gmock/gmock.h"
#include "tests/common/training/dataset_folder.h"

namespace ip2p {
namespace {

using ::testing::HasSubstr;

// Examples whose text is their number; some are damaged.
class NumberedSource final : public ExampleSource {
 public:
  NumberedSource(int64_t size, std::set<int64_t> damaged) : size_(size), damaged_(std::move(damaged)) {}
  int64_t size() const override { return size_; }
  absl::StatusOr<RawExample> Get(int64_t i, uint64_t) const override {
    if (damaged_.contains(i)) return RawExample{.after = "no picture"};
    return RawExample{.after = bytes_, .text = std::to_string(i)};
  }

 private:
  const int64_t size_;
  const std::set<int64_t> damaged_;
  const std::string bytes_ = PictureBytes(64, 9, 9);
};

ExampleLoader::Options Options(BatchShare share, int64_t first_step = 0, int threads = 3) {
  return {.share = share,
          .augment = {.crop = 64, .min_resize = 64, .max_resize = 64},
          .seed = 5,
          .first_step = first_step,
          .threads = threads,
          .ahead = 7};
}

std::vector<std::string> Texts(ExampleLoader& loader, int parts) {
  std::vector<std::string> texts;
  for (int i = 0; i < parts; ++i) {
    const auto rows = loader.Next();
    EXPECT_TRUE(rows.ok()) << rows.status();
    if (!rows.ok()) break;
    for (const Example& example : *rows) texts.push_back(example.text);
  }
  return texts;
}

TEST(PlaceAt, EachEpochSeesEachExampleOnce) {
  std::vector<int64_t> first, second;
  for (int64_t i = 0; i < 10; ++i) {
    EXPECT_EQ(PlaceAt(10, 1, 3, i).epoch, 0);
    first.push_back(PlaceAt(10, 1, 3, i).index);
    second.push_back(PlaceAt(10, 1, 3, 10 + i).index);
  }
  EXPECT_THAT(first, ::testing::UnorderedElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 8, 9));
  EXPECT_THAT(second, ::testing::UnorderedElementsAreArray(first));
  EXPECT_NE(first, second);
}

TEST(PlaceAt, GroupsStayTogether) {
  std::vector<int64_t> first, second;  // of 11 examples: three groups of 3, and two over
  for (int64_t i = 0; i < 11; ++i) {
    first.push_back(PlaceAt(11, 3, 3, i).index);
    second.push_back(PlaceAt(11, 3, 3, 11 + i).index);
  }
  EXPECT_THAT(first, ::testing::UnorderedElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10));
  EXPECT_THAT(second, ::testing::UnorderedElementsAreArray(first));
  EXPECT_NE(first, second);
  for (const size_t begin : {0, 3, 6}) {
    EXPECT_EQ(first[begin] % 3, 0);
    EXPECT_EQ(first[begin + 1], first[begin] + 1);
    EXPECT_EQ(first[begin + 2], first[begin] + 2);
  }
  EXPECT_EQ(first[9], 9);
  EXPECT_EQ(PlaceAt(2, 3, 3, 1).index, 1);  // fewer than a group
}

TEST(ExampleLoader, OrderDependsOnNeitherThreadsNorStart) {
  const NumberedSource source(50, {});
  ExampleLoader one(source, Options({.batch_size = 4}, 0, 1));
  const std::vector<std::string> all = Texts(one, 20);
  ExampleLoader many(source, Options({.batch_size = 4}, 0, 4));
  EXPECT_EQ(Texts(many, 20), all);
  ExampleLoader resumed(source, Options({.batch_size = 4}, 13));  // in the middle of the second epoch
  EXPECT_EQ(Texts(resumed, 7), std::vector<std::string>(all.begin() + 52, all.end()));
}

TEST(ExampleLoader, RanksAndPartsShareOneBatch) {
  const NumberedSource source(50, {});
  ExampleLoader whole(source, Options({.batch_size = 8}));
  const std::vector<std::string> all = Texts(whole, 3);
  std::vector<std::vector<std::string>> ranks;
  for (int rank : {0, 1}) {
    ExampleLoader loader(source,
                         Options({.batch_size = 8, .accumulation = 2, .rank = rank, .world_size = 2}));
    ranks.push_back(Texts(loader, 6));
  }
  std::vector<std::string> joined;
  for (int part = 0; part < 6; ++part) {
    for (int rank : {0, 1})
      joined.insert(joined.end(), ranks[rank].begin() + 2 * part, ranks[rank].begin() + 2 * part + 2);
  }
  EXPECT_EQ(joined, all);
}

TEST(ExampleLoader, WithACacheOnlyNamesCome) {
  const NumberedSource source(2000, {});
  ExampleLoader::Options options = Options({.batch_size = 20});
  ExampleLoader pictures(source, options);
  options.cached = [](int64_t index, int64_t) { return index != 1234; };
  ExampleLoader names(source, options);
  for (int step = 0; step < 100; ++step) {
    const auto a = pictures.Next(), b = names.Next();
    ASSERT_TRUE(b.ok()) << b.status();
    for (size_t i = 0; i < a->size(); ++i) {
      EXPECT_TRUE((*b)[i].after.pixels.empty());
      if ((*a)[i].index == 1234) continue;
      EXPECT_EQ((*b)[i].index, (*a)[i].index);
      EXPECT_EQ((*b)[i].mirrored, (*a)[i].mirrored);
    }
  }
  EXPECT_EQ(names.damaged(), 1);
}

TEST(ExampleLoader, ADamagedExampleIsReplacedAndCounted) {
  const NumberedSource source(2000, {7, 8});
  ExampleLoader first(source, Options({.batch_size = 20})), second(source, Options({.batch_size = 20}));
  const std::vector<std::string> texts = Texts(first, 100);
  EXPECT_EQ(texts.size(), 2000);
  EXPECT_EQ(first.damaged(), 2);
  EXPECT_EQ(Texts(second, 100), texts);
}

TEST(ExampleLoader, TooManyDamagedExamplesEndTheRun) {
  const NumberedSource source(100, {7});
  ExampleLoader loader(source, Options({.batch_size = 20}));
  absl::Status status;
  for (int i = 0; i < 5 && status.ok(); ++i) status = loader.Next().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("1 of 100 examples are damaged; wants at most 0.1 %"));
}

}  // namespace
}  // namespace ip2p
