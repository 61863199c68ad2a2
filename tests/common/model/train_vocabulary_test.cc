// A vocabulary of one's own: what it learns, and that the tokenizer reads it. transformers opens the shipped
// one in tests/parity.
#include "common/model/tokenizer/train_vocabulary.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <string>
#include <vector>

#include "common/model/tokenizer/tokenizer.h"
#include "common/model/tokenizer/vocabulary_file.h"

namespace ip2p {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

const std::vector<std::string>& Texts() {
  static const std::vector<std::string> texts = {"a red circle on grass", "A red ring, on sand",
                                                 "make the circle green"};
  return texts;
}

// The ids between start and end of text.
std::vector<int64_t> Body(const VocabularyTexts& vocabulary, const std::string& text) {
  TextEncoderConfig config;
  config.vocab_size = vocabulary.size;
  config.max_positions = 77;
  config.bos_token_id = vocabulary.size - 2;
  config.eos_token_id = config.pad_token_id = vocabulary.size - 1;
  const auto tokenizer = Tokenizer::Create(vocabulary.vocab_json, vocabulary.merges_txt, config);
  EXPECT_TRUE(tokenizer.ok()) << tokenizer.status();
  std::vector<int64_t> ids = (*tokenizer)->Encode(text).ids;
  ids.erase(std::find(ids.begin(), ids.end(), config.eos_token_id), ids.end());
  ids.erase(ids.begin());
  return ids;
}

TEST(TrainVocabularyTest, EveryWordOfTheTextsIsOneToken) {
  const auto vocabulary = TrainVocabulary(Texts(), 1000);
  ASSERT_TRUE(vocabulary.ok()) << vocabulary.status();
  EXPECT_THAT(Body(*vocabulary, "a red circle on grass"), SizeIs(5));
  EXPECT_THAT(Body(*vocabulary, "make the ring red , on sand"), SizeIs(7));
  EXPECT_EQ(Body(*vocabulary, "RED"), Body(*vocabulary, "red"));
}

TEST(TrainVocabularyTest, UnknownWordsAreSpelledInWhatIsKnown) {
  const auto vocabulary = TrainVocabulary(Texts(), 1000);
  ASSERT_TRUE(vocabulary.ok()) << vocabulary.status();
  const std::vector<int64_t> ids = Body(*vocabulary, "xyzzy \xF0\x9F\x98\x80");
  EXPECT_THAT(ids, SizeIs(9));  // five letters, four bytes
  for (const int64_t id : ids) EXPECT_LT(id, 512);
}

TEST(TrainVocabularyTest, TheOrderOfTheTextsDoesNotShow) {
  std::vector<std::string> turned(Texts().rbegin(), Texts().rend());
  const auto a = TrainVocabulary(Texts(), 1000), b = TrainVocabulary(turned, 1000);
  ASSERT_TRUE(a.ok() && b.ok());
  EXPECT_EQ(a->vocab_json, b->vocab_json);
  EXPECT_EQ(a->merges_txt, b->merges_txt);
}

TEST(TrainVocabularyTest, TheMostFrequentPairComesFirstThenByteOrder) {
  const auto vocabulary = TrainVocabulary({"xab yab zab cd"}, 2);
  ASSERT_TRUE(vocabulary.ok()) << vocabulary.status();
  EXPECT_EQ(vocabulary->merges_txt, "#version: 0.2\na b</w>\nc d</w>\n");
  EXPECT_EQ(vocabulary->size, 516);
  const auto table = ParseTokenTable(vocabulary->vocab_json, vocabulary->merges_txt);
  ASSERT_TRUE(table.ok()) << table.status();
  EXPECT_EQ(table->vocabulary.at("ab</w>"), 512);
  EXPECT_EQ(table->vocabulary.at("<|startoftext|>"), 514);
}

TEST(TrainVocabularyTest, NoWordsAreRefused) {
  const auto vocabulary = TrainVocabulary({"", "  "}, 10);
  EXPECT_EQ(vocabulary.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(vocabulary.status().message(), HasSubstr("no words"));
}

}  // namespace
}  // namespace ip2p
