#include "common/openai/price_table.h"

#include <filesystem>
#include <string>

#include "gtest/gtest.h"

namespace ip2p {
namespace {

PriceTable Table(const std::string& models) {
  return *PriceTable::FromJson("{\"models\": {" + models + "}}");
}

TEST(PriceTableTest, CostsAreMicroDollarsRoundedUp) {
  const TokenPrice price{.input = 0.15, .output = 0.6};
  EXPECT_EQ(price.MicroUsd(0, 0), 0);
  EXPECT_EQ(price.MicroUsd(1, 0), 1);
  EXPECT_EQ(price.MicroUsd(100, 0), 15);  // 100 * 0.15 is 15.000000000000002 or 15
  EXPECT_EQ(price.MicroUsd(1'000'000, 1'000'000), 750'000);
  EXPECT_EQ(price.Batch().MicroUsd(1'000'000, 1'000'000), 375'000);
}

TEST(PriceTableTest, FindsDatedAndFineTunedModels) {
  const PriceTable table = Table(R"("gpt-4o": {"input": 2, "output": 8}, "gpt-4": {"input": 30, "output": 60},
      "ft:gpt-4o": {"input": 4, "output": 16})");
  EXPECT_EQ(table.Find("gpt-4o")->input, 2);
  EXPECT_EQ(table.Find("gpt-4o-2024-08-06")->input, 2);
  EXPECT_EQ(table.Find("gpt-4-0613")->input, 30);
  EXPECT_EQ(table.Find("ft:gpt-4o:team:ip2p:1")->input, 4);
  EXPECT_EQ(table.Find("ft:gpt-4o-2024-08-06:team::1")->input, 4);
  EXPECT_FALSE(table.Find("gpt-4o-mini").has_value());  // another model, not a date
  EXPECT_FALSE(table.Find("gpt-4-turbo").has_value());
  EXPECT_FALSE(table.Find("gpt-4-32k").has_value());
  EXPECT_FALSE(table.Find("gpt-4-32k-0613").has_value());
  EXPECT_FALSE(table.Find("gpt-4o-2024-8-6").has_value());
  EXPECT_FALSE(table.Find("ft:gpt-4o-16k:team::1").has_value());
  EXPECT_FALSE(table.Find("ft:gpt-4:team::1").has_value());
  EXPECT_FALSE(table.Find("").has_value());
}

TEST(PriceTableTest, TheStarStandsForAllOthers) {
  const PriceTable table = Table(R"("*": {"input": 0, "output": 0}, "a": {"input": 1, "output": 1})");
  EXPECT_EQ(table.Find("llama")->input, 0);
  EXPECT_EQ(table.Find("a")->input, 1);
}

TEST(PriceTableTest, NamesTheEntryAtFault) {
  for (const std::string bad : {R"("m": {"input": 1})", R"("m": {"input": "1", "output": 1})",
                                R"("m": {"input": -1, "output": 1})", R"("m": {"input": 1e300, "output": 1})",
                                R"("m": 3)", R"("m": {"input": 1, "output": 1, "batch_factor": 2})"}) {
    const auto table = PriceTable::FromJson("{\"models\": {" + bad + "}}");
    EXPECT_TRUE(absl::IsInvalidArgument(table.status())) << bad;
    EXPECT_NE(table.status().message().find("m"), absl::string_view::npos);
  }
  EXPECT_FALSE(PriceTable::FromJson("[]").ok());
  EXPECT_FALSE(PriceTable::FromJson("{").ok());
}

TEST(PriceTableTest, TheShippedFileIsGood) {
  const auto table = PriceTable::Load(std::filesystem::path(IP2P_TESTDATA).parent_path() /
                                      "../../../deploy/config/prices.json");
  ASSERT_TRUE(table.ok()) << table.status();
  EXPECT_TRUE(table->Find("gpt-4o-mini-2024-07-18").has_value());
  EXPECT_TRUE(table->Find("davinci-002").has_value());
  // Versions that cost more than the name without a date does: a budget must not be kept with too low a
  // price.
  EXPECT_EQ(table->Find("gpt-4o-2024-05-13"), (TokenPrice{.input = 5, .output = 15}));
  EXPECT_EQ(table->Find("gpt-4o-2024-08-06"), (TokenPrice{.input = 2.5, .output = 10}));
  EXPECT_EQ(table->Find("gpt-3.5-turbo-1106"), (TokenPrice{.input = 1, .output = 2}));
  EXPECT_EQ(table->Find("gpt-3.5-turbo-0125"), (TokenPrice{.input = 0.5, .output = 1.5}));
  EXPECT_EQ(table->Find("gpt-3.5-turbo-16k"), (TokenPrice{.input = 3, .output = 4}));
  EXPECT_EQ(table->Find("gpt-3.5-turbo-16k-0613"), (TokenPrice{.input = 3, .output = 4}));
  EXPECT_FALSE(table->Find("a-model-of-tomorrow").has_value());
}

}  // namespace
}  // namespace ip2p
