// Checksums as object stores keep them, to compare what was read with what was written. One thread an object.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "common/base/sha256.h"

namespace ip2p {

// A cyclic redundancy check with reflected bits, a polynomial of the word's width, and all ones before and
// after; eight bytes a turn.
template <typename Word, Word kPolynomial>
class Crc {
 public:
  void Update(std::string_view bytes) {
    size_t i = 0;
    for (; i + 8 <= bytes.size(); i += 8) {
      uint64_t block = 0;
      for (int k = 0; k < 8; ++k) block |= uint64_t{static_cast<uint8_t>(bytes[i + k])} << (8 * k);
      block ^= word_;
      word_ = 0;
      for (int k = 0; k < 8; ++k) word_ ^= kTables[7 - k][(block >> (8 * k)) & 255];
    }
    for (; i < bytes.size(); ++i) {
      const auto index = static_cast<uint8_t>(word_ ^ static_cast<uint8_t>(bytes[i]));
      word_ = static_cast<Word>(word_ >> 8) ^ kTables[0][index];
    }
  }
  Word value() const { return static_cast<Word>(~word_); }

 private:
  static constexpr std::array<std::array<Word, 256>, 8> MakeTables() {
    std::array<std::array<Word, 256>, 8> tables{};
    for (unsigned i = 0; i < 256; ++i) {
      Word word = i;
      for (int bit = 0; bit < 8; ++bit) word = (word >> 1) ^ ((word & 1) != 0 ? kPolynomial : Word{0});
      tables[0][i] = word;
    }
    for (int k = 1; k < 8; ++k) {
      for (unsigned i = 0; i < 256; ++i) {
        const Word before = tables[k - 1][i];
        tables[k][i] = (before >> 8) ^ tables[0][before & 255];
      }
    }
    return tables;
  }
  static constexpr std::array<std::array<Word, 256>, 8> kTables = MakeTables();

  Word word_ = static_cast<Word>(~Word{0});
};

using Crc32 = Crc<uint32_t, 0xEDB88320u>;                // zlib's
using Crc32c = Crc<uint32_t, 0x82F63B78u>;               // Castagnoli's
using Crc64Nvme = Crc<uint64_t, 0x9A6C9329AC4BC9B5ull>;  // of the NVMe specification

// A CRC or hexadecimal digest as headers carry it.
std::string ChecksumText(uint32_t value);
std::string ChecksumText(uint64_t value);
std::string Base64OfHex(std::string_view hex);

// What a store tells of an object's bytes as a whole; each empty when it tells none.
struct ObjectChecksums {
  std::string sha256;     // hexadecimal
  std::string crc32c;     // these in base64
  std::string crc32;      //
  std::string crc64nvme;  //
  bool empty() const { return sha256.empty() && crc32c.empty() && crc32.empty() && crc64nvme.empty(); }
  friend bool operator==(const ObjectChecksums&, const ObjectChecksums&) = default;
};

// Reads an object's bytes, in their order, for the strongest of its checksums.
class ChecksumVerifier {
 public:
  explicit ChecksumVerifier(ObjectChecksums wanted) : wanted_(std::move(wanted)) {}
  void Update(std::string_view bytes);
  // Once. DATA_LOSS, with the found and the wanted one. OK when the store told none.
  absl::Status Finish();

 private:
  const ObjectChecksums wanted_;
  Sha256 sha256_;
  Crc32c crc32c_;
  Crc32 crc32_;
  Crc64Nvme crc64nvme_;
};

}  // namespace ip2p
