// The tokenizer's edges, on a small vocabulary written here (all 256 bytes, five merges, three specials); the
// real vocabulary against transformers is tests/parity/test_tokenizer.py's part.
#include "common/model/tokenizer/tokenizer.h"

#include <gmock/gmock.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "common/base/json.h"
#include "common/model/tokenizer/byte_pair_encoder.h"
#include "common/model/tokenizer/text_splitter.h"
#include "common/model/tokenizer/vocabulary_file.h"

namespace ip2p {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr char kMerges[] = "#version: 0.2\nh e\nl l\nhe ll\nhell o</w>\na b</w>\n";

// Ids: bytes 0..255 inside a word, 256..511 ending one, then the merges 512..516, then <|startoftext|> 517,
// <|endoftext|> 518.
nlohmann::json Vocabulary() {
  nlohmann::json vocabulary;
  for (int byte = 0; byte < 256; ++byte) {
    vocabulary[ByteSymbol(byte)] = byte;
    vocabulary[ByteSymbol(byte) + "</w>"] = 256 + byte;
  }
  int id = 512;
  for (const char* token : {"he", "ll", "hell", "hello</w>", "ab</w>", "<|startoftext|>", "<|endoftext|>"}) {
    vocabulary[token] = id++;
  }
  return vocabulary;
}

TextEncoderConfig Config() {
  TextEncoderConfig config;
  config.vocab_size = 519;
  config.max_positions = 10;
  config.bos_token_id = 517;
  config.eos_token_id = config.pad_token_id = 518;
  return config;
}

// The ids between bos and eos.
std::vector<int64_t> Body(std::string_view text, TextEncoderConfig config = Config()) {
  config.max_positions = 5000;
  const auto tokenizer = Tokenizer::Create(Vocabulary().dump(), kMerges, config);
  EXPECT_TRUE(tokenizer.ok()) << tokenizer.status();
  std::vector<int64_t> ids = (*tokenizer)->Encode(text).ids;
  EXPECT_EQ(ids.front(), config.bos_token_id);
  while (!ids.empty() && ids.back() == config.pad_token_id) ids.pop_back();
  if (config.pad_token_id != config.eos_token_id) ids.pop_back();
  ids.erase(ids.begin());
  return ids;
}

int64_t Last(char c) { return 256 + static_cast<unsigned char>(c); }

TEST(TokenizerTest, FramesAndPads) {
  const auto tokenizer = Tokenizer::Create(Vocabulary().dump(), kMerges, Config());
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  const TokenizedText text = (*tokenizer)->Encode("hello");
  EXPECT_THAT(text.ids, ElementsAre(517, 515, 518, 518, 518, 518, 518, 518, 518, 518));
  EXPECT_FALSE(text.truncated);
  EXPECT_THAT((*tokenizer)->Encode("").ids, ElementsAre(517, 518, 518, 518, 518, 518, 518, 518, 518, 518));
}

TEST(TokenizerTest, CutsAtTheLimitAndSaysSo) {
  const auto tokenizer = Tokenizer::Create(Vocabulary().dump(), kMerges, Config());
  ASSERT_TRUE(tokenizer.ok());
  const TokenizedText fits = (*tokenizer)->Encode("1 2 3 4 5 6 7 8");
  EXPECT_FALSE(fits.truncated);
  EXPECT_THAT(fits.ids, ElementsAre(517, Last('1'), Last('2'), Last('3'), Last('4'), Last('5'), Last('6'),
                                    Last('7'), Last('8'), 518));
  const TokenizedText cut = (*tokenizer)->Encode("1 2 3 4 5 6 7 8 9");
  EXPECT_TRUE(cut.truncated);
  EXPECT_EQ(cut.ids, fits.ids);
}

TEST(TokenizerTest, MergesLowestRankFirst) {
  EXPECT_THAT(Body("hello"), ElementsAre(515));
  EXPECT_THAT(Body("hell"), ElementsAre(512, 'l', Last('l'))) << "\"l l</w>\" is no merge";
  EXPECT_THAT(Body("abab"), ElementsAre('a', 'b', 516)) << "\"a b</w>\" merges at the end only";
}

TEST(TokenizerTest, FoldsCaseSpaceAndComposition) {
  EXPECT_EQ(Body(" \t\r\n HeLLo \u3000\u2028\v"), Body("hello"));
  EXPECT_EQ(Body("e\u0301"), Body("\u00e9"));
  EXPECT_EQ(Body("\u0130"), Body("i\u0307"));
}

TEST(TokenizerTest, SpecialTokensInTheTextAreTokens) {
  EXPECT_THAT(Body("ab<|startoftext|>ab"), ElementsAre(516, 517, 516));
  EXPECT_THAT(Body("<|startoftext"),
              ElementsAre('<', Last('|'), 's', 't', 'a', 'r', 't', 'o', 'f', 't', 'e', 'x', Last('t')));
}

TEST(TokenizerTest, APaddingTokenOfItsOwnIsSpecialToo) {
  TextEncoderConfig config = Config();
  config.pad_token_id = '!';
  EXPECT_THAT(Body("ab!!ab", config), ElementsAre(516, '!', '!', 516));
  EXPECT_THAT(Body("ab!!ab"), ElementsAre(516, '!', Last('!'), 516));
}

TEST(TokenizerTest, AnyBytesAreAccepted) {
  EXPECT_THAT(Body(std::string_view("\0", 1)), ElementsAre(256));
  EXPECT_THAT(Body("\xff\xfe"), ElementsAre(0xEF, 0xBF, 0xBD, 0xEF, 0xBF, 0xBD + 256)) << "as U+FFFD";
  EXPECT_EQ(Body(std::string(4096, 'z')).size(), 4096u);
}

TEST(TokenizerTest, UnknownSymbolsBecomeTheEndToken) {
  nlohmann::json vocabulary = Vocabulary();
  vocabulary.erase(ByteSymbol('z') + "</w>");
  TextEncoderConfig config = Config();
  const auto tokenizer = Tokenizer::Create(vocabulary.dump(), kMerges, config);
  ASSERT_TRUE(tokenizer.ok());
  EXPECT_EQ((*tokenizer)->Encode("az").ids[2], 518);
}

TEST(TokenizerTest, RefusesFaultyFilesByName) {
  const auto refusal = [](const std::string& vocabulary, const std::string& merges,
                          const TextEncoderConfig& config) {
    const auto tokenizer = Tokenizer::Create(vocabulary, merges, config);
    EXPECT_EQ(tokenizer.status().code(), absl::StatusCode::kInvalidArgument);
    return std::string(tokenizer.status().message());
  };
  const std::string good = Vocabulary().dump();
  EXPECT_THAT(refusal("[1]", kMerges, Config()), HasSubstr("vocab.json"));
  EXPECT_THAT(refusal("{\"a\": ", kMerges, Config()), HasSubstr("vocab.json"));
  EXPECT_THAT(refusal("{\"a\": -1}", kMerges, Config()), HasSubstr("vocab.json"));
  EXPECT_THAT(refusal("{\"a\": 1.5}", kMerges, Config()), HasSubstr("vocab.json"));
  EXPECT_THAT(refusal(good, "#version: 0.2\nh e\nx\n", Config()), HasSubstr("merge 2"));
  EXPECT_THAT(refusal(good, "h e\nq q\n", Config()), HasSubstr("merge 2"));
  TextEncoderConfig config = Config();
  config.bos_token_id = 600;
  EXPECT_THAT(refusal(good, kMerges, config), HasSubstr("special token 600"));
  config = Config();
  config.vocab_size = 500;
  EXPECT_THAT(refusal(good, kMerges, config), HasSubstr("below the text encoder's 500"));
}

TEST(TokenizerTest, MissingStandardVocabularySaysHowToGetIt) {
  ASSERT_EQ(setenv("IP2P_CLIP_VOCAB", "/nonexistent/vocabulary.gz", 1), 0);
  const auto tokenizer = Tokenizer::CreateStandard(TextEncoderConfig());
  unsetenv("IP2P_CLIP_VOCAB");
  EXPECT_EQ(tokenizer.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(tokenizer.status().message()), HasSubstr("deploy/setup.sh"));
  EXPECT_THAT(std::string(tokenizer.status().message()), testing::Not(HasSubstr("/nonexistent")));
}

TEST(SplitWordsTest, LettersDigitsContractionsAndTheRest) {
  EXPECT_THAT(SplitWords("It's 2024, we'll see... don't"),
              ElementsAre("it", "'s", "2", "0", "2", "4", ",", "we", "'ll", "see", "...", "don", "'t"));
  EXPECT_THAT(SplitWords("''s"), ElementsAre("''", "s"));
  EXPECT_THAT(SplitWords("'sam"), ElementsAre("'s", "am"));
  EXPECT_THAT(SplitWords(" \n\t"), IsEmpty());
  EXPECT_THAT(SplitWords("<|ENDOFTEXT|>!"), ElementsAre("<|", "endoftext", "|>", "!"));
}

TEST(SplitWordsTest, OtherScripts) {
  EXPECT_THAT(SplitWords("\u4f60\u597d2\u00bd\u0663"), ElementsAre("\u4f60\u597d", "2", "\u00bd", "\u0663"));
  EXPECT_THAT(SplitWords("\u05e9\u05dc\u05d5\u05dd!"), ElementsAre("\u05e9\u05dc\u05d5\u05dd", "!"));
  EXPECT_THAT(SplitWords("a\U0001F600\u200d\U0001F44D b"),
              ElementsAre("a", "\U0001F600\u200d\U0001F44D", "b"));
  EXPECT_THAT(SplitWords("\u0928\u092e\u0938\u094d\u0924\u0947"),
              ElementsAre("\u0928\u092e\u0938", "\u094d", "\u0924", "\u0947"))
      << "vowel signs are marks, not letters";
}

}  // namespace
}  // namespace ip2p
