// See train_vocabulary.h. Every round counts all pairs anew: some hundred words take milliseconds.
#include "common/model/tokenizer/train_vocabulary.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/json.h"
#include "common/model/tokenizer/byte_pair_encoder.h"
#include "common/model/tokenizer/text_splitter.h"

namespace ip2p {
namespace {

constexpr char kEndOfWord[] = "</w>";

using Symbols = std::vector<std::string>;
using Pair = std::pair<std::string, std::string>;

std::vector<Symbols> WordsOf(const std::vector<std::string>& texts) {
  std::set<std::string> words;
  for (const std::string& text : texts) {
    for (std::string& word : SplitWords(text)) words.insert(std::move(word));
  }
  std::vector<Symbols> all;
  for (const std::string& word : words) {
    Symbols symbols;
    for (const char byte : word) symbols.push_back(ByteSymbol(static_cast<unsigned char>(byte)));
    symbols.back() += kEndOfWord;
    all.push_back(std::move(symbols));
  }
  return all;
}

// The pair that most words hold, the first in byte order among equals; empty texts when none is left.
Pair MostFrequent(const std::vector<Symbols>& words) {
  std::map<Pair, int> counts;
  for (const Symbols& word : words) {
    for (size_t i = 1; i < word.size(); ++i) ++counts[{word[i - 1], word[i]}];
  }
  const auto most = std::max_element(counts.begin(), counts.end(),
                                     [](const auto& a, const auto& b) { return a.second < b.second; });
  return most == counts.end() ? Pair() : most->first;
}

// The order of the encoder: leftmost first.
void Join(const Pair& pair, Symbols& word) {
  for (size_t i = 1; i < word.size(); ++i) {
    if (word[i - 1] != pair.first || word[i] != pair.second) continue;
    word[i - 1] += word[i];
    word.erase(word.begin() + static_cast<std::ptrdiff_t>(i));
  }
}

}  // namespace

absl::StatusOr<VocabularyTexts> TrainVocabulary(const std::vector<std::string>& texts, int most_merges) {
  std::vector<Symbols> words = WordsOf(texts);
  if (words.empty()) return absl::InvalidArgumentError("texts hold no words; wants at least one");
  nlohmann::ordered_json vocabulary;
  for (const char* end : {"", kEndOfWord}) {
    for (int byte = 0; byte < 256; ++byte) {
      vocabulary[ByteSymbol(static_cast<unsigned char>(byte)) + end] = vocabulary.size();
    }
  }
  VocabularyTexts result{.merges_txt = "#version: 0.2\n"};
  for (int made = 0; made < most_merges; ++made) {
    const Pair pair = MostFrequent(words);
    if (pair.first.empty()) break;
    for (Symbols& word : words) Join(pair, word);
    absl::StrAppend(&result.merges_txt, pair.first, " ", pair.second, "\n");
    const std::string joined = pair.first + pair.second;
    // Two ways may lead to one symbol: "a"+"bc" and "ab"+"c".
    if (!vocabulary.contains(joined)) vocabulary[joined] = vocabulary.size();
  }
  for (const char* special : {"<|startoftext|>", "<|endoftext|>"}) vocabulary[special] = vocabulary.size();
  result.size = static_cast<int>(vocabulary.size());
  result.vocab_json = vocabulary.dump() + "\n";
  return result;
}

}  // namespace ip2p
