// See byte_pair_encoder.h. The merge order is that of Hugging Face's tokenizers: lowest rank first, then
// leftmost.
#include "common/model/tokenizer/byte_pair_encoder.h"

#include <array>
#include <queue>

#include "absl/strings/str_cat.h"

namespace ip2p {
namespace {

constexpr char kEndOfWord[] = "</w>";

std::array<std::string, 256> MakeByteSymbols() {
  std::array<std::string, 256> symbols;
  int moved = 0;
  for (int byte = 0; byte < 256; ++byte) {
    const bool printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
    const int code = printable ? byte : 256 + moved++;
    std::string& symbol = symbols[byte];
    if (code < 0x80) {
      symbol = static_cast<char>(code);
    } else {  // every code is below 0x800
      symbol = {static_cast<char>(0xC0 | (code >> 6)), static_cast<char>(0x80 | (code & 0x3F))};
    }
  }
  return symbols;
}

uint64_t PairKey(int64_t left, int64_t right) {
  return static_cast<uint64_t>(left) << 32 | static_cast<uint64_t>(right);
}

}  // namespace

const std::string& ByteSymbol(unsigned char byte) {
  static const auto& symbols = *new std::array<std::string, 256>(MakeByteSymbols());
  return symbols[byte];
}

absl::StatusOr<BytePairEncoder> BytePairEncoder::Create(
    const Vocabulary& vocabulary, const std::vector<std::pair<std::string, std::string>>& merges,
    int64_t unknown_id) {
  BytePairEncoder encoder;
  encoder.unknown_id_ = unknown_id;
  auto id_of = [&](const std::string& symbol) {
    const auto found = vocabulary.find(symbol);
    return found == vocabulary.end() ? unknown_id : found->second;
  };
  for (int byte = 0; byte < 256; ++byte) {
    encoder.inner_[byte] = id_of(ByteSymbol(byte));
    encoder.final_[byte] = id_of(ByteSymbol(byte) + kEndOfWord);
  }
  encoder.merges_.reserve(merges.size());
  for (size_t rank = 0; rank < merges.size(); ++rank) {
    const auto& [left, right] = merges[rank];
    for (const std::string& symbol : {left, right, left + right}) {
      if (!vocabulary.contains(symbol)) {
        return absl::InvalidArgumentError(
            absl::StrCat("merge ", rank + 1, " names a token that is not in the vocabulary"));
      }
    }
    encoder.merges_[PairKey(id_of(left), id_of(right))] = {static_cast<uint32_t>(rank), id_of(left + right)};
  }
  return encoder;
}

const BytePairEncoder::Merge* BytePairEncoder::FindMerge(int64_t left, int64_t right) const {
  const auto found = merges_.find(PairKey(left, right));
  return found == merges_.end() ? nullptr : &found->second;
}

void BytePairEncoder::Append(std::string_view word, std::vector<int64_t>& ids) const {
  struct Symbol {
    int64_t id;
    int previous, next;  // neighbours, -1 at the ends
    bool alive = true;
  };
  struct Candidate {
    uint32_t rank;
    int at;  // the left symbol
    int64_t left, right, merged;
    bool operator<(const Candidate& o) const { return rank != o.rank ? rank > o.rank : at > o.at; }
  };
  const int n = static_cast<int>(word.size());
  std::vector<Symbol> symbols(n);
  std::priority_queue<Candidate> queue;
  auto consider = [&](int at) {
    if (at < 0 || symbols[at].next < 0) return;
    const int64_t left = symbols[at].id, right = symbols[symbols[at].next].id;
    if (const Merge* merge = FindMerge(left, right)) queue.push({merge->rank, at, left, right, merge->id});
  };
  for (int i = 0; i < n; ++i) {
    const auto byte = static_cast<unsigned char>(word[i]);
    symbols[i] = {i + 1 == n ? final_[byte] : inner_[byte], i - 1, i + 1 == n ? -1 : i + 1};
  }
  for (int i = 0; i < n; ++i) consider(i);
  while (!queue.empty()) {
    const Candidate best = queue.top();
    queue.pop();
    Symbol& left = symbols[best.at];
    if (!left.alive || left.id != best.left || left.next < 0 || symbols[left.next].id != best.right) continue;
    symbols[left.next].alive = false;
    left.id = best.merged;
    left.next = symbols[left.next].next;
    if (left.next >= 0) symbols[left.next].previous = best.at;
    consider(left.previous);
    consider(best.at);
  }
  for (int i = n == 0 ? -1 : 0; i >= 0; i = symbols[i].next) ids.push_back(symbols[i].id);
}

}  // namespace ip2p
